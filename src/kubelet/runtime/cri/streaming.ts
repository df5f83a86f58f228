/** CRI streaming: the runtime answers exec, attach and port-forward with a URL, on which it speaks SPDY/3.1. */
import type { ByteStream } from '../../../api/transport.ts';
import { http } from '../../../client/node/http.ts';
import { byteStreamOf } from '../../streaming/bytes.ts';
import { createSpdyConnection, type SpdyConnection, type SpdyStream } from '../../streaming/spdy.ts';
import { RuntimeError, type StreamOptions, type StreamSession } from '../contract.ts';

const execProtocol = 'v4.channel.k8s.io';
const forwardProtocol = 'portforward.k8s.io';

function upgrade(url: string, protocol: string): Promise<SpdyConnection> {
  return new Promise((resolve, reject) => {
    const req = http.request(url, {
      method: 'POST',
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol },
      agent: false,
    });
    req.on('upgrade', (_response, socket, head) =>
      resolve(createSpdyConnection(byteStreamOf(socket, head), { role: 'client' })),
    );
    req.on('response', response => {
      response.resume();
      reject(new RuntimeError('Unknown', `the runtime refused to stream: ${response.statusCode}`));
    });
    req.on('error', e => reject(new RuntimeError('Unavailable', e.message)));
    req.end();
  });
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

interface ErrorStatus {
  status?: string;
  reason?: string;
  message?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
}

/** The error stream carries a Status; an exit code stands in a cause. */
function exitCodeOf(text: string): number {
  if (!text) return 0;
  let status: ErrorStatus;
  try {
    status = JSON.parse(text) as ErrorStatus;
  } catch {
    throw new RuntimeError('Unknown', text);
  }
  if (status.status === 'Success') return 0;
  const code = status.details?.causes?.find(c => c.reason === 'ExitCode')?.message;
  if (status.reason === 'NonZeroExitCode' && code !== undefined) return Number(code);
  throw new RuntimeError('Unknown', status.message ?? text);
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

export async function openStreamSession(url: string, options: StreamOptions): Promise<StreamSession> {
  const connection = await upgrade(url, execProtocol);
  const open = (streamtype: string, wanted: boolean): Promise<SpdyStream | undefined> =>
    wanted ? connection.open({ streamtype }) : Promise.resolve(undefined);
  try {
    const error = await connection.open({ streamtype: 'error' });
    const stdin = await open('stdin', options.stdin);
    const stdout = await open('stdout', options.stdout);
    const stderr = await open('stderr', options.stderr && !options.tty);
    const resize = await open('resize', options.tty);
    const done = readAll(error.readable).then(exitCodeOf);
    done.catch(() => undefined);
    return {
      writeStdin: chunk => stdin?.write(chunk) ?? Promise.resolve(),
      endStdin: () => stdin?.end(),
      stdout: stdout?.readable ?? nothing(),
      stderr: stderr?.readable ?? nothing(),
      resize(width, height) {
        void resize?.write(Buffer.from(`${JSON.stringify({ Width: width, Height: height })}\n`)).catch(() => undefined);
      },
      done,
      destroy: () => connection.close(),
    };
  } catch (e) {
    connection.close();
    throw e;
  }
}

export async function openPortForward(url: string, port: number): Promise<ByteStream> {
  const connection = await upgrade(url, forwardProtocol);
  const headers = { port: String(port), requestid: '0' };
  const error = await connection.open({ ...headers, streamtype: 'error' });
  error.end();
  const data = await connection.open({ ...headers, streamtype: 'data' });
  const failure = readAll(error.readable);
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* data.readable;
    const message = await failure;
    connection.close();
    if (message) throw new RuntimeError('Unknown', message);
  }
  return {
    readable: read(),
    write: chunk => data.write(chunk),
    end: () => data.end(),
    destroy: () => connection.close(),
  };
}
