/** The whole API server inside the test: every admission plugin, the memory store, requests as the administrator. */
import { apiVersionOf, type ResourceInfo } from '../../src/api/schema.ts';
import type { ApiResponse } from '../../src/api/transport.ts';
import { admissionPlugins } from '../../src/apiserver/admission/index.ts';
import { createTokenSigner } from '../../src/apiserver/auth/index.ts';
import { createApiServer } from '../../src/apiserver/index.ts';
import { fromV2 } from '../../src/apiserver/registry/autoscaling/convert.ts';
import { toNewEvent } from '../../src/apiserver/registry/events/convert.ts';
import { strategies } from '../../src/apiserver/registry/index.ts';
import { sampleOf } from '../../src/apiserver/registry/samples.ts';
import { createSecurity } from '../../src/apiserver/security.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import { newKey, publicKeyOf } from '../../src/pki/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Undefined for what is no JSON. */
  readonly body: Record<string, unknown> | undefined;
}
export interface WholeServer {
  /** `body` as it is when it is bytes, else as JSON. */
  ask(method: string, target: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** What the server logged as an error since this was last asked. */
  takeErrors(): string[];
  close(): Promise<void>;
}

export interface Sample {
  readonly metadata: { readonly name: string };
}

const issuer = 'https://kubernetes.default.svc';
const peer = { certificate: { commonName: 'admin', organizations: ['system:masters'] } };

export async function startWholeServer(): Promise<WholeServer> {
  const key = newKey();
  const logged: string[] = [];
  const log: Logger = {
    ...silentLogger,
    error: (text, fields) => void logged.push(`${text} ${JSON.stringify(fields)}`),
    with: () => log,
  };
  const environment = { clock: systemClock, random: systemRandom, log, metrics: createMetrics() };
  const signer = await createTokenSigner(key, [publicKeyOf(key)]);
  const security = createSecurity({ signer, issuers: [issuer], audiences: [issuer], admission: admissionPlugins });
  const store = createMemoryStore({ clock: systemClock });
  const server = createApiServer({ ...environment, store, strategies, security });
  await server.start();
  return {
    async ask(method, target, body, headers = {}) {
      const mark = target.indexOf('?');
      return answerOf(
        await server.handle({
          method,
          path: mark < 0 ? target : target.slice(0, mark),
          query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
          headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
          body:
            body === undefined || body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body)),
          peer,
          signal: new AbortController().signal,
        }),
      );
    },
    takeErrors: () => logged.splice(0),
    async close() {
      await server.close();
      await store.close();
    },
  };
}

function answerOf({ status, body }: ApiResponse): Answer {
  const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : '';
  try {
    return { status, text, body: JSON.parse(text) as Record<string, unknown> };
  } catch {
    return { status, text, body: undefined };
  }
}

/** A body of this kind that is valid, in its own version. */
export function sampleBody(info: ResourceInfo): Sample {
  const resource = `${info.group}/${info.plural}`;
  const sample = sampleOf(resource, info.namespaced) as never;
  const isOldAutoscaler = info.group === 'autoscaling' && info.version === 'v1';
  const served =
    resource === 'events.k8s.io/events' ? toNewEvent(sample) : isOldAutoscaler ? fromV2(sample) : (sample as object);
  const { name } = (sample as Sample).metadata;
  const unique = name === 'sample' ? `${name}-${info.version}` : name;
  const metadata = { ...(served as Sample).metadata, name: unique };
  const body = { ...served, metadata, apiVersion: apiVersionOf(info), kind: info.kind };
  return body;
}

export function collectionOf({ group, version, plural, namespaced }: ResourceInfo): string {
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  return `${root}${namespaced ? '/namespaces/default' : ''}/${plural}`;
}
