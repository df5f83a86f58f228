/** What decoding and encoding a pod of about 2 KiB costs, against the engine's own JSON functions on the same bytes. */
import { schemaOf } from '../src/api/catalog/index.ts';
import { encodeJson } from '../src/api/codec/encode.ts';
import { decodeJson } from '../src/api/codec/json.ts';
import { decodeProtobuf, encodeProtobuf } from '../src/api/codec/protobuf/envelope.ts';
import { decodeYaml, encodeYaml } from '../src/api/codec/yaml.ts';
import type { BenchResult } from './result.ts';

const schema = schemaOf('core.v1.Pod');
const kind = { group: '', version: 'v1', kind: 'Pod' };

function samplePod(): Record<string, unknown> {
  const env = Array.from({ length: 12 }, (_, i) => ({ name: `VARIABLE_${i}`, value: `some value ${i}` }));
  const resources = { limits: { cpu: '1', memory: '128Mi' }, requests: { cpu: '100m', memory: '64Mi' } };
  const probe = { httpGet: { path: '/healthz', port: 8080, scheme: 'HTTP' }, periodSeconds: 10 };
  const container = (name: string) => ({ name, image: 'nginx:1.25', env, resources, livenessProbe: probe });
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'default', labels: { app: 'web' }, annotations: { note: 'x'.repeat(200) } },
    spec: { volumes: [{ name: 'scratch', emptyDir: {} }], containers: [container('web'), container('side')] },
    status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] },
  };
}

/** Microseconds per call, best of three. */
function time(work: () => unknown, rounds = 5000): number {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    const start = performance.now();
    for (let i = 0; i < rounds; i++) work();
    best = Math.min(best, ((performance.now() - start) * 1000) / rounds);
  }
  return best;
}

export async function run(): Promise<BenchResult[]> {
  const pod = samplePod();
  const json = encodeJson(pod, schema);
  const protobuf = encodeProtobuf(pod, schema);
  const yaml = new TextEncoder().encode(encodeYaml(pod));
  const text = new TextDecoder();
  const utf8 = new TextEncoder();
  const options = { schema, kind, mode: 'strict' } as const;
  const parse = time(() => JSON.parse(text.decode(json)));
  const stringify = time(() => utf8.encode(JSON.stringify(pod)));
  const against = (floor: number, name: string, work: () => unknown, rounds?: number): BenchResult => {
    const value = time(work, rounds);
    return { name: `${name} (${json.length} bytes of JSON)`, value, unit: 'µs', floor, ratio: value / floor };
  };
  const decode = against(parse, 'decode JSON, strict', () => decodeJson(json, options));
  return [
    { ...decode, target: 'floor + 20 µs', met: decode.value <= parse + 20 },
    against(stringify, 'encode JSON', () => encodeJson(pod, schema)),
    against(parse, 'decode protobuf', () => decodeProtobuf(protobuf, options)),
    against(stringify, 'encode protobuf', () => encodeProtobuf(pod, schema)),
    against(parse, 'decode YAML, strict', () => decodeYaml(yaml, options), 500),
    against(stringify, 'encode YAML', () => encodeYaml(pod), 500),
  ];
}
