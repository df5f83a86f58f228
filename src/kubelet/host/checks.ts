/** Probes' and hooks' network checks from the node, with the messages that Go's clients give. */
import https from 'node:https';
import { connect } from 'node:net';
import { http } from '../../client/node/http.ts';
import { createCodec } from '../grpc/codec.ts';
import { createGrpcClient, GrpcError } from '../grpc/unix-client.ts';
import type { CheckResult, HttpCheck, NetworkChecks } from '../pod/host.ts';

const healthMessages = `
@ServingStatus UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN
HealthCheckRequest service=1:s
HealthCheckResponse status=1:@ServingStatus
`;
const maxBody = 10 * 1024;
const bracket = (host: string) => (host.includes(':') ? `[${host}]` : host);
const fail = (output: string): CheckResult => ({ ok: false, output });

/** `dial tcp 10.0.0.1:80: connect: connection refused`, as Go says it. */
function dialError(host: string, port: number, e: NodeJS.ErrnoException): string {
  const texts: Record<string, string> = {
    ECONNREFUSED: 'connect: connection refused',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ETIMEDOUT: 'i/o timeout',
  };
  const text = texts[e.code ?? ''];
  return text ? `dial tcp ${bracket(host)}:${port}: ${text}` : e.message;
}

function httpCheck({ scheme, host, port, path, headers, timeoutMs }: HttpCheck): Promise<CheckResult> {
  const secure = scheme.toUpperCase() === 'HTTPS';
  const url = `${scheme.toLowerCase()}://${bracket(host)}:${port}${path.startsWith('/') ? '' : '/'}${path}`;
  const own = Object.fromEntries(headers.map(h => [h.name, h.value]));
  return new Promise(resolve => {
    const options = {
      method: 'GET',
      headers: { 'user-agent': 'kube-probe/1.35', accept: '*/*', connection: 'close', ...own },
      agent: false,
      ...(secure && { rejectUnauthorized: false }),
    } as const;
    const req = (secure ? https : http).request(url, options, response => {
      const code = response.statusCode ?? 0;
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBody) response.destroy();
      });
      response.on('error', () => undefined);
      response.on('close', () => {
        clear.abort();
        resolve(
          code >= 200 && code < 400 ? { ok: true, output: '' } : fail(`HTTP probe failed with statuscode: ${code}`),
        );
      });
    });
    const clear = new AbortController();
    const late = AbortSignal.timeout(timeoutMs);
    late.addEventListener(
      'abort',
      () => {
        resolve(fail(`Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`));
        req.destroy();
      },
      { signal: clear.signal },
    );
    req.on('error', e => {
      clear.abort();
      resolve(fail(`Get "${url}": ${dialError(host, port, e)}`));
    });
    req.end();
  });
}

function tcp(host: string, port: number, timeoutMs: number): Promise<CheckResult> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const finish = (result: CheckResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => finish({ ok: true, output: '' }));
    socket.on('timeout', () => finish(fail(`dial tcp ${bracket(host)}:${port}: i/o timeout`)));
    socket.on('error', e => finish(fail(dialError(host, port, e))));
  });
}

async function grpc(host: string, port: number, service: string, timeoutMs: number): Promise<CheckResult> {
  const address = `${bracket(host)}:${port}`;
  const client = createGrpcClient(() => connect({ host, port }), createCodec(healthMessages));
  try {
    const request: [string, object] = ['HealthCheckRequest', { service }];
    const method = 'grpc.health.v1.Health/Check';
    const reply = await client.call<{ status: string }>(method, request, 'HealthCheckResponse', { timeoutMs });
    const serving = reply.status === 'SERVING';
    return serving ? { ok: true, output: '' } : fail(`service unhealthy (responded with "${reply.status}")`);
  } catch (e) {
    if (!(e instanceof GrpcError)) throw e;
    const { codeName, details } = e;
    if (codeName === 'UNIMPLEMENTED')
      return fail(`error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`);
    if (codeName === 'DEADLINE_EXCEEDED' || codeName === 'UNAVAILABLE')
      return fail(`timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: ${details}`);
    return fail(`error: health rpc probe failed: ${details}`);
  } finally {
    client.close();
  }
}

export const networkChecks: NetworkChecks = { http: httpCheck, tcp, grpc };
