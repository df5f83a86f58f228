/** The kubelet's HTTPS API. Upstream: pkg/kubelet/server. Every path needs an identity and the API server's consent. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import type { Kubelet } from '../kubelet.ts';
import { type LogOptions, readLog } from '../logs/reader.ts';
import type { Machine } from '../node/machine.ts';
import { isRunning } from '../pod/state.ts';
import type { PodWorker } from '../pod/worker.ts';
import type { Stats } from '../stats/summary.ts';
import { createAccess } from './auth.ts';
import { HttpError } from './errors.ts';
import { createPages } from './pages.ts';
import { serveCommand, serveForward } from './streams.ts';

export interface ServerTls {
  cert: string;
  key: string;
  /** PEM of the CA that signs the clients that may call: the API server's kubelet client certificate. */
  clientCa: string;
}
export interface KubeletServerOptions {
  host: string;
  port: number;
  tls: ServerTls;
  kubelet: Kubelet;
  client: Client;
  machine: Machine;
  stats: Stats;
  /** Holds containers' logs. */
  logRoot: string;
}
export interface KubeletServer {
  readonly port: number;
  /** After a certificate was renewed. */
  setCertificate(tls: Pick<ServerTls, 'cert' | 'key'>): void;
  close(): Promise<void>;
}

interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  /** Path parts after the first. */
  parts: readonly string[];
  query: URLSearchParams;
  signal: AbortSignal;
}
type Route = (call: Call) => Promise<void>;

export async function startKubeletServer(options: KubeletServerOptions): Promise<KubeletServer> {
  const { kubelet, client } = options;
  const { clock, runtime, nodeName, log, meters } = kubelet.context;
  const pages = createPages(options);
  const access = createAccess(client, nodeName, clock);
  const sockets = new Set<Duplex>();

  function workerOf(namespace: string, name: string, uid?: string): PodWorker {
    const worker = kubelet.podByName(namespace, name);
    if (!worker || (uid && worker.pod.metadata.uid !== uid)) throw new HttpError(404, `pod "${name}" does not exist`);
    return worker;
  }
  function runningContainer(worker: PodWorker, name: string): string {
    const current = worker.view.containers.get(name)?.find(isRunning);
    if (!current) throw new HttpError(404, `container not found ("${name}")`);
    return current.status.id;
  }

  async function containerLogs({ parts, query, response, signal }: Call): Promise<void> {
    const [namespace = '', name = '', container = ''] = parts;
    const worker = workerOf(namespace, name);
    const path = logPath(worker, container, query.get('previous') === 'true');
    const running = () =>
      worker.view.containers.get(container)?.some(c => c.status.logPath === path && isRunning(c)) ?? false;
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    try {
      for await (const chunk of readLog(path, logOptions(query, clock.now()), { clock, signal, running }))
        if (!response.write(chunk)) await once(response, 'drain', { signal });
    } catch (e) {
      if (!signal.aborted) log.debug('log stream broke', { error: messageOf(e) });
    }
    response.end();
  }

  async function run({ parts, query, response }: Call): Promise<void> {
    const [namespace = '', name = '', ...rest] = parts;
    const worker = workerOf(namespace, name, rest.length > 1 ? rest[0] : undefined);
    const id = runningContainer(worker, rest.at(-1) ?? '');
    const command = query.getAll('cmd');
    const result = await runtime.execSync(id, command.length === 1 ? (command[0] ?? '').split(' ') : command, 0);
    text(response, 200, Buffer.concat([result.stdout, result.stderr]).toString());
  }

  const routes: Record<string, Route> = {
    containerLogs,
    run,
  };
  const upgrades: Record<string, (call: Omit<Call, 'response'>, socket: Duplex, head: Buffer) => Promise<void>> = {
    async exec({ request, parts, query }, socket, head) {
      const [namespace = '', name = '', ...rest] = parts;
      const worker = workerOf(namespace, name, rest.length > 1 ? rest[0] : undefined);
      const id = runningContainer(worker, rest.at(-1) ?? '');
      await serveCommand({ request, socket, head, query }, o => runtime.exec(id, query.getAll('command'), o));
    },
    async attach({ request, parts, query }, socket, head) {
      const [namespace = '', name = '', ...rest] = parts;
      const worker = workerOf(namespace, name, rest.length > 1 ? rest[0] : undefined);
      const id = runningContainer(worker, rest.at(-1) ?? '');
      await serveCommand({ request, socket, head, query }, o => runtime.attach(id, o));
    },
    async portForward({ request, parts, query }, socket, head) {
      const [namespace = '', name = '', uid] = parts;
      await serveForward({ request, socket, head, query }, workerOf(namespace, name, uid), runtime);
    },
  };

  /** Who calls and whether they may. */
  async function admit(request: IncomingMessage, path: string): Promise<void> {
    const user = await access.authenticate(request);
    if (!user) throw new HttpError(401, 'Unauthorized');
    const refusal = await access.refuse(user, request.method ?? 'GET', path);
    if (refusal !== undefined) throw new HttpError(403, refusal);
  }
  const codeOf = (e: unknown) => (e instanceof HttpError ? e.code : 500);

  async function route(first: string, call: Call): Promise<void> {
    if (Object.hasOwn(upgrades, first)) throw new HttpError(400, 'Upgrade request required');
    const page = Object.hasOwn(pages, first) ? await pages[first]?.(call.parts, call.query) : undefined;
    const lasting = Object.hasOwn(routes, first) ? routes[first] : undefined;
    if (!page && !lasting) throw new HttpError(404, '404 page not found');
    if (!page) return lasting?.(call);
    call.response.writeHead(200, { 'content-type': page.type });
    call.response.end(page.body);
  }
  /** By the kind of path, so that names of pods do not become series. */
  function count(method: string | undefined, path: string, begun: number): void {
    const [, first = ''] = path.split('/');
    const known = [pages, routes, upgrades].some(r => Object.hasOwn(r, first));
    const lasting = !Object.hasOwn(pages, first);
    meters.served(method ?? 'GET', known ? first : 'other', lasting, (clock.monotonic() - begun) / 1000);
  }
  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'https://kubelet');
    const gone = new AbortController();
    const begun = clock.monotonic();
    response.on('close', () => {
      gone.abort(new Error('the client is gone'));
      count(request.method, pathname, begun);
    });
    try {
      await admit(request, pathname);
      const [first = '', ...parts] = pathname.split('/').slice(1).map(decodeURIComponent);
      await route(first, { request, response, parts: parts.filter(Boolean), query, signal: gone.signal });
    } catch (e) {
      if (!response.headersSent) text(response, codeOf(e), messageOf(e));
      else response.destroy();
    }
  }
  async function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'https://kubelet');
    socket.on('error', () => undefined);
    try {
      await admit(request, pathname);
      const [first = '', ...parts] = pathname.split('/').slice(1).map(decodeURIComponent);
      const serve = Object.hasOwn(upgrades, first) ? upgrades[first] : undefined;
      if (!serve) throw new HttpError(404, '404 page not found');
      const { signal } = new AbortController();
      await serve({ request, parts: parts.filter(Boolean), query, signal }, socket, head);
    } catch (e) {
      const body = messageOf(e);
      socket.end(
        `HTTP/1.1 ${codeOf(e)} Error\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      );
    }
  }

  const { cert, key, clientCa } = options.tls;
  const server = createServer({ cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: false });
  server.on('request', (request, response) => void onRequest(request, response));
  server.on('upgrade', (request, socket, head) => void onUpgrade(request, socket, head));
  server.on('connection', socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    setCertificate: tls => server.setSecureContext({ ...tls, ca: clientCa }),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function text(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(body);
}

/** The file of the wanted run of a container; rejects with upstream's words when there is none. */
function logPath(worker: PodWorker, container: string, previous: boolean): string {
  const { pod, view } = worker;
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])];
  const { name } = pod.metadata;
  if (!all.some(c => c.name === container))
    throw new HttpError(404, `container ${container} is not valid for pod ${name}`);
  const [current, before] = view.containers.get(container) ?? [];
  if (previous) {
    if (!before) throw new HttpError(400, `previous terminated container "${container}" in pod "${name}" not found`);
    return before.status.logPath;
  }
  if (!current?.status.logPath || current.status.state === 'CONTAINER_CREATED') {
    const { containerStatuses = [], initContainerStatuses = [] } = worker.status ?? {};
    const state = [...containerStatuses, ...initContainerStatuses].find(s => s.name === container)?.state;
    const reason = state?.waiting?.reason ?? 'ContainerCreating';
    throw new HttpError(400, `container "${container}" in pod "${name}" is waiting to start: ${reason}`);
  }
  return current.status.logPath;
}

function logOptions(query: URLSearchParams, now: number): LogOptions {
  const number = (name: string) => {
    const value = query.get(name);
    return value === null || value === '' ? undefined : Number(value);
  };
  const sinceSeconds = number('sinceSeconds');
  const sinceTime = query.get('sinceTime');
  const sinceMs =
    sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined;
  const tailLines = number('tailLines');
  const limitBytes = number('limitBytes');
  const stream = query.get('stream')?.toLowerCase();
  return {
    follow: query.get('follow') === 'true',
    timestamps: query.get('timestamps') === 'true',
    ...(sinceMs !== undefined && { sinceMs }),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
    ...((stream === 'stdout' || stream === 'stderr') && { stream }),
  };
}
