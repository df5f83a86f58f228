/** Logs, exec, attach and port-forward. Remote commands speak v5.channel.k8s.io over a WebSocket, and v4 with older servers. */
import type { ByteStream } from '../api/transport.ts';
import { ApiError, type FailureStatus } from '../base/errors.ts';
import type { Client } from './contract.ts';
import { concat } from './lines.ts';
import { openWebSocket, type WebSocketConnection } from './websocket.ts';

export interface PodTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container?: string;
  readonly signal?: AbortSignal;
}
export interface LogOptions extends PodTarget {
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly timestamps?: boolean;
  readonly sinceSeconds?: number;
  readonly sinceTime?: string;
  readonly tailLines?: number;
  readonly limitBytes?: number;
}

const podPath = ({ namespace, pod }: PodTarget, subresource: string) =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/${subresource}`;

/** The bytes of a container's log; with `follow`, until the container ends. */
export async function* readLogs(client: Client, options: LogOptions): AsyncGenerator<Uint8Array> {
  const query = new URLSearchParams();
  for (const key of [
    'container',
    'follow',
    'previous',
    'timestamps',
    'sinceSeconds',
    'sinceTime',
    'tailLines',
    'limitBytes',
  ] as const) {
    const value = options[key];
    if (value !== undefined && value !== false) query.set(key, String(value));
  }
  const { signal } = options;
  const { body } = await client.open('GET', podPath(options, 'log'), {
    query,
    headers: { accept: '*/*' },
    ...(signal && { signal }),
  });
  if (body instanceof Uint8Array) yield body;
  else if (body) yield* body;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}
export interface RemoteCommandOptions extends PodTarget {
  /** Its end is told to the command (with v5). */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly tty?: boolean;
  readonly resize?: AsyncIterable<TerminalSize>;
  /** Awaited, so that a slow reader slows the command down. Absent: not asked for. */
  stdout?(chunk: Uint8Array): void | Promise<void>;
  /** With a terminal everything comes on stdout. */
  stderr?(chunk: Uint8Array): void | Promise<void>;
}
export interface ExecOptions extends RemoteCommandOptions {
  readonly command: readonly string[];
}
/** How a command ended. */
export interface CommandResult {
  readonly exitCode: number;
  /** Upstream's text when it failed. */
  readonly message?: string;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** Runs a command in a container. Throws ApiError when it could not be run; a command that fails is a result. */
export function exec(client: Client, options: ExecOptions): Promise<CommandResult> {
  const query = remoteQuery(options);
  for (const word of options.command) query.append('command', word);
  return remoteCommand(client, 'exec', query, options);
}

/** Connects to a container's first process. */
export function attach(client: Client, options: RemoteCommandOptions): Promise<CommandResult> {
  return remoteCommand(client, 'attach', remoteQuery(options), options);
}

function remoteQuery({ container, stdin, stdout, stderr, tty }: RemoteCommandOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (container) query.set('container', container);
  if (stdin) query.set('stdin', 'true');
  if (stdout) query.set('stdout', 'true');
  if (stderr && !tty) query.set('stderr', 'true');
  if (tty) query.set('tty', 'true');
  return query;
}

async function remoteCommand(
  client: Client,
  verb: string,
  query: URLSearchParams,
  options: RemoteCommandOptions,
): Promise<CommandResult> {
  const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
  const socket = await openWebSocket(client, podPath(options, verb), { query, protocols, signal: options.signal });
  const stop = new AbortController();
  const pumps = [sendInput(socket, options, stop.signal), sendSizes(socket, options, stop.signal)];
  let result: CommandResult | undefined;
  try {
    for await (const message of socket.messages) {
      const data = message.subarray(1);
      if (message[0] === channels.stdout) await options.stdout?.(data);
      else if (message[0] === channels.stderr) await options.stderr?.(data);
      else if (message[0] === channels.error && data.length > 0) result = resultOf(data);
    }
  } finally {
    stop.abort(new Error('the command ended'));
    socket.close();
  }
  void Promise.allSettled(pumps);
  options.signal?.throwIfAborted();
  if (!result) throw new ApiError(500, 'InternalError', 'the connection closed before the command ended');
  return result;
}

async function sendInput(
  socket: WebSocketConnection,
  { stdin }: RemoteCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  if (!stdin) return;
  for await (const chunk of stdin) {
    if (signal.aborted) return;
    await socket.send(concat([Uint8Array.of(channels.stdin), chunk]));
  }
  if (socket.protocol === 'v5.channel.k8s.io' && !signal.aborted)
    await socket.send(Uint8Array.of(channels.close, channels.stdin));
}

async function sendSizes(
  socket: WebSocketConnection,
  { resize, tty }: RemoteCommandOptions,
  signal: AbortSignal,
): Promise<void> {
  if (!resize || !tty) return;
  for await (const { width, height } of resize) {
    if (signal.aborted) return;
    const text = JSON.stringify({ Width: width, Height: height });
    await socket.send(concat([Uint8Array.of(channels.resize), new TextEncoder().encode(text)]));
  }
}

function resultOf(data: Uint8Array): CommandResult {
  const status = JSON.parse(new TextDecoder().decode(data)) as Partial<Omit<FailureStatus, 'status'>> & {
    status?: string;
  };
  if (status.status === 'Success') return { exitCode: 0 };
  const code = status.details?.causes?.find(c => c.reason === 'ExitCode')?.message;
  const message = status.message ?? 'the command failed';
  if (status.reason === 'NonZeroExitCode' && code) return { exitCode: Number(code), message };
  throw ApiError.from({ ...(status as Partial<FailureStatus>), code: status.code ?? 500, message });
}

export interface PortForwardOptions extends PodTarget {
  readonly port: number;
}

/** One connection to a port of a pod. What the kubelet says on the error channel breaks it. */
export async function portForward(client: Client, options: PortForwardOptions): Promise<ByteStream> {
  const query = new URLSearchParams({ ports: String(options.port) });
  const protocols = ['v4.channel.k8s.io'];
  const socket = await openWebSocket(client, podPath(options, 'portforward'), {
    query,
    protocols,
    signal: options.signal,
  });
  async function* read(): AsyncGenerator<Uint8Array> {
    // The first message of each channel repeats the port.
    const announced = new Set<number>();
    for await (const message of socket.messages) {
      const channel = message[0] ?? 0;
      const skip = announced.has(channel) ? 1 : 3;
      announced.add(channel);
      const data = message.subarray(skip);
      if (data.length === 0) continue;
      if (channel === 1) throw new Error(new TextDecoder().decode(data));
      yield data;
    }
  }
  return {
    readable: read(),
    write: chunk => socket.send(concat([Uint8Array.of(0), chunk])),
    // The protocol cannot half-close; the peer sees the end when the connection is dropped.
    end: () => undefined,
    destroy: () => socket.close(),
  };
}
