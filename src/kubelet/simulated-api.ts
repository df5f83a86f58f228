/** The kubelets' API of simulated nodes, inside the process: logs are what containers printed, and nothing can be run in them. */
import type { ApiResponse, Transport } from '../api/transport.ts';
import { sleep } from '../base/clock.ts';
import { errors } from '../base/errors.ts';
import { isRunning } from './pod/state.ts';
import type { SimulatedNode } from './simulated-nodes.ts';

type Request = Parameters<Transport['request']>[0];

const pollMs = 500;
const encoder = new TextEncoder();
const plain = (status: number, body: string): ApiResponse => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: encoder.encode(body),
});

/** `nodeAt` finds a node by its address. */
export function simulatedKubelet(nodeAt: () => SimulatedNode | undefined): Transport {
  return {
    async request(request) {
      const node = nodeAt();
      if (!node) return plain(502, 'there is no node at this address');
      const [first = '', ...parts] = request.path.split('/').slice(1).map(decodeURIComponent);
      if (first === 'healthz') return plain(200, 'ok');
      if (first === 'containerLogs') return logs(node, parts, request);
      if (['exec', 'attach', 'portForward', 'run'].includes(first))
        return plain(501, `the containers of node ${node.name} are simulated: nothing runs in them`);
      return plain(404, '404 page not found');
    },
    close: async () => undefined,
  };
}

function logs(node: SimulatedNode, [namespace = '', name = '', container = '']: readonly string[], request: Request) {
  const worker = node.kubelet.podByName(namespace, name);
  if (!worker) return plain(404, `pod "${name}" does not exist`);
  const [current, before] = worker.view.containers.get(container) ?? [];
  const { query } = request;
  const wanted = query.get('previous') === 'true' ? before : current;
  if (!wanted) return plain(400, `container "${container}" in pod "${name}" is waiting to start`);
  const { id } = wanted.status;
  const stillRuns = () => worker.view.containers.get(container)?.some(c => c.status.id === id && isRunning(c)) ?? false;
  const body = follow(node, id, query, stillRuns, request.signal);
  return { status: 200, headers: { 'content-type': 'text/plain' }, body };
}

async function* follow(
  { kubelet, runtime }: SimulatedNode,
  id: string,
  query: URLSearchParams,
  stillRuns: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const shown = (line: string) =>
    query.get('timestamps') === 'true' ? line.replace(/ \w+ F /, ' ') : line.replace(/^\S+ \w+ F /, '');
  const lines = () => runtime.readLog(id).split('\n').filter(Boolean);
  const tail = Number(query.get('tailLines') ?? Number.POSITIVE_INFINITY);
  let next = Math.max(0, lines().length - tail);
  for (;;) {
    const fresh = lines().slice(next);
    next += fresh.length;
    if (fresh.length > 0) yield encoder.encode(fresh.map(line => `${shown(line)}\n`).join(''));
    if (query.get('follow') !== 'true' || !stillRuns() || signal.aborted) return;
    await sleep(kubelet.context.clock, pollMs, signal).catch(() => undefined);
  }
}

/** For an API server beside its nodes. `nodes` is asked with each call. */
export function simulatedDialer(nodes: () => readonly SimulatedNode[]) {
  return {
    kubelet: (host: string): Transport =>
      simulatedKubelet(() => nodes().find(n => n.kubelet.context.hostIps().includes(host))),
    backend(_scheme: 'http' | 'https', host: string, port: number): Transport {
      return {
        request: async () => {
          throw errors.serviceUnavailable(`nothing listens at ${host}:${port}: the pods are simulated`);
        },
        close: async () => undefined,
      };
    },
  };
}
