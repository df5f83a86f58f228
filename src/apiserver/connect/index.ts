/** CONNECT: logs, exec, attach, port-forward and proxies, carried to the kubelet or the pod. */
import type { Unstructured } from '../../api/object.ts';
import type { ApiResponse, ByteStream, Transport } from '../../api/transport.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { ApiError, errors } from '../../base/errors.ts';
import { admissionRequest, admit, validateAdmission } from '../server/admission.ts';
import { isTrue } from '../server/request-info.ts';
import type { Scope, Served } from '../server/scope.ts';
import { text } from '../storage/encoding.ts';
import { kubeletOf, podBackend, readStored, serviceBackend, splitSchemeNamePort } from './location.ts';

export async function connect(scope: Scope, served: Served): Promise<ApiResponse> {
  const { subresource } = scope.info;
  if (subresource === 'log') return podLog(scope);
  if (subresource === 'proxy') return proxy(scope, served);
  return stream(scope, served);
}

const encode = encodeURIComponent;

function containerOf(pod: Pod, asked: string | null): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const all = [...containers, ...initContainers, ...ephemeralContainers].map(c => c.name);
  if (asked) {
    if (!all.includes(asked)) throw errors.badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
    return asked;
  }
  const [first, second] = containers;
  if (first && !second) return first.name;
  const inits =
    initContainers.length > 0 ? ` or one of the init containers: [${initContainers.map(c => c.name).join(' ')}]` : '';
  throw errors.badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${containers.map(c => c.name).join(' ')}]${inits}`,
  );
}

async function hostedPod(scope: Scope): Promise<{ pod: Pod; node: string }> {
  const pod = await readStored<Pod>(scope.core, '/v1/pods', scope.info.namespace, scope.info.name);
  const node = pod.spec.nodeName;
  if (!node) throw errors.badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  return { pod, node };
}

const logFlags = ['follow', 'previous', 'timestamps'];
const logNumbers = ['sinceSeconds', 'tailLines', 'limitBytes'];

async function podLog(scope: Scope): Promise<ApiResponse> {
  const { query } = scope.request;
  const pod = await readStored<Pod>(scope.core, '/v1/pods', scope.info.namespace, scope.info.name);
  const container = containerOf(pod, query.get('container'));
  const forwarded = new URLSearchParams();
  for (const name of logFlags) if (isTrue(query.get(name))) forwarded.set(name, 'true');
  for (const name of logNumbers) copyNumber(query, forwarded, name);
  for (const name of ['sinceTime', 'stream']) {
    const value = query.get(name);
    if (value) forwarded.set(name, value);
  }
  const node = pod.spec.nodeName;
  // A pod that no node has is not an error to those who only look: it has no logs yet.
  if (!node) return { status: 200, headers: { 'content-type': 'text/plain' }, body: new Uint8Array(0) };
  const kubelet = await kubeletOf(scope.core, node);
  const { namespace, name } = pod.metadata;
  const path = `/containerLogs/${encode(namespace ?? '')}/${encode(name)}/${encode(container)}`;
  const response = await forward(scope, kubelet, 'GET', path, forwarded, {});
  if (response.status >= 400) throw await failure(response);
  return { status: 200, headers: { 'content-type': 'text/plain' }, body: response.body };
}

function copyNumber(from: URLSearchParams, to: URLSearchParams, name: string): void {
  const value = from.get(name);
  if (value === null || value === '') return;
  if (!/^\d{1,15}$/.test(value))
    throw errors.badRequest(`unable to decode query parameter ${name}: ${JSON.stringify(value)} is not a number`);
  to.set(name, value);
}

/** A kubelet's plain answer as a Status. */
async function failure(response: ApiResponse): Promise<ApiError> {
  const body = await whole(response.body);
  const message = text(body).trim() || `the server answered with ${response.status}`;
  const reasons: Record<number, string> = { 400: 'BadRequest', 403: 'Forbidden', 404: 'NotFound', 401: 'Unauthorized' };
  return new ApiError(response.status, reasons[response.status] ?? 'InternalError', message);
}

const errorBodyLimit = 64 << 10;

async function whole(body: ApiResponse['body']): Promise<Uint8Array> {
  if (body === undefined || body instanceof Uint8Array) return body ?? new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > errorBodyLimit) break;
  }
  const out = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** exec, attach, portforward: an upgraded connection to the kubelet. */
async function stream(scope: Scope, served: Served): Promise<ApiResponse> {
  const { info, request } = scope;
  const { pod, node } = await hostedPod(scope);
  const { namespace = '', name } = pod.metadata;
  await admitConnect(scope, served);
  const forwarded = new URLSearchParams();
  let path = `/portForward/${encode(namespace)}/${encode(name)}`;
  if (info.subresource === 'portforward') {
    for (const port of request.query.getAll('ports')) forwarded.append('port', port);
  } else {
    const container = containerOf(pod, request.query.get('container'));
    path = `/${info.subresource}/${encode(namespace)}/${encode(name)}/${encode(container)}`;
    streamFlags(request.query, forwarded);
    for (const word of request.query.getAll('command')) forwarded.append('command', word);
  }
  return forward(scope, await kubeletOf(scope.core, node), request.method, path, forwarded, forwardedHeaders(scope));
}

function streamFlags(from: URLSearchParams, to: URLSearchParams): void {
  const names = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' } as const;
  for (const [ours, kubelets] of Object.entries(names)) if (isTrue(from.get(ours))) to.set(kubelets, '1');
}

async function admitConnect(scope: Scope, served: Served): Promise<void> {
  const { info, request } = scope;
  const kinds: Record<string, string> = {
    exec: 'PodExecOptions',
    attach: 'PodAttachOptions',
    portforward: 'PodPortForwardOptions',
    proxy: `${served.info.kind}ProxyOptions`,
  };
  const { query } = request;
  const object = {
    kind: kinds[info.subresource] ?? '',
    apiVersion: 'v1',
    metadata: { name: info.name, namespace: info.namespace },
    container: query.get('container') ?? '',
    command: query.getAll('command'),
    stdin: isTrue(query.get('stdin')),
    tty: isTrue(query.get('tty')),
    ...(info.subresource === 'proxy' && { path: `/${info.rest.join('/')}` }),
  } as unknown as Unstructured;
  const admission = admissionRequest(scope, served, {
    operation: 'CONNECT',
    name: info.name,
    object,
    oldObject: undefined,
    options: {},
    dryRun: false,
  });
  await admit(scope.core.admission, admission);
  await validateAdmission(scope.core.admission, admission);
}

async function proxy(scope: Scope, served: Served): Promise<ApiResponse> {
  const { info, request, core } = scope;
  if (
    info.rest.length === 0 &&
    !request.path.endsWith('/') &&
    (request.method === 'GET' || request.method === 'HEAD')
  ) {
    const query = request.query.toString();
    return { status: 301, headers: { location: `${request.path}/${query && `?${query}`}` } };
  }
  await admitConnect(scope, served);
  let target: Transport;
  if (served.info.plural === 'nodes') {
    const { name, port } = splitSchemeNamePort(info.name);
    target = await kubeletOf(core, name, port);
  } else if (served.info.plural === 'pods') target = await podBackend(core, info.namespace, info.name);
  else target = await serviceBackend(core, info.namespace, info.name);
  const before = served.info.namespaced ? 8 : 6;
  const path = `/${request.path.split('/').slice(before).join('/')}`;
  return forward(scope, target, request.method, path, request.query, forwardedHeaders(scope));
}

/** Credentials for this server are not for others; hop-by-hop headers end here unless the connection is upgraded. */
const notForwarded = new Set([
  'authorization',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'proxy-connection',
  'content-length',
  'accept-encoding',
]);

function forwardedHeaders({ request }: Scope): Record<string, string> {
  const upgrading = request.headers['upgrade'] !== undefined;
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (notForwarded.has(name) || name.startsWith('impersonate-') || name.startsWith('x-remote-')) continue;
    if (!upgrading && (name === 'connection' || name === 'upgrade')) continue;
    // A bearer token may also come as a WebSocket subprotocol.
    out[name] =
      name === 'sec-websocket-protocol'
        ? value
            .split(',')
            .map(p => p.trim())
            .filter(p => !p.startsWith('base64url.bearer.authorization.k8s.io.'))
            .join(', ')
        : value;
  }
  return out;
}

async function forward(
  scope: Scope,
  target: Transport,
  method: string,
  path: string,
  query: URLSearchParams,
  headers: Record<string, string>,
): Promise<ApiResponse> {
  const { request } = scope;
  let response: ApiResponse;
  try {
    response = await target.request({ method, path, query, headers, body: request.body, signal: request.signal });
  } catch (e) {
    throw errors.serviceUnavailable(`error trying to reach service: ${e instanceof Error ? e.message : String(e)}`);
  }
  if (response.stream) {
    if (!request.upgrade) {
      response.stream.destroy();
      throw errors.badRequest('Upgrade request required');
    }
    const client = await request.upgrade(response.status, endToEnd(response.headers, true));
    void join(client, response.stream);
    return { status: response.status, headers: {} };
  }
  return { ...response, headers: endToEnd(response.headers, false) };
}

function endToEnd(headers: Record<string, string>, upgraded: boolean): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || name === 'keep-alive' || name === 'transfer-encoding') continue;
    if (!upgraded && (name === 'connection' || name === 'upgrade')) continue;
    out[name] = value;
  }
  return out;
}

/** Carries bytes both ways until both sides have ended, or one broke. */
async function join(a: ByteStream, b: ByteStream): Promise<void> {
  const carry = async (from: ByteStream, to: ByteStream) => {
    for await (const chunk of from.readable) await to.write(chunk);
    to.end();
  };
  try {
    await Promise.all([carry(a, b), carry(b, a)]);
  } catch (e) {
    const error = e instanceof Error ? e : new Error(String(e));
    a.destroy(error);
    b.destroy(error);
  }
}
