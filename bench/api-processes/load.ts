/** A load generator over HTTP/2 sessions. */
import http2, { type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';

export interface Endpoint {
  readonly port: number;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export function openSession({ port, ca, cert, key }: Endpoint): ClientHttp2Session {
  const session = http2.connect(`https://127.0.0.1:${port}`, {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    rejectUnauthorized: ca !== undefined,
    settings: { initialWindowSize: 16 << 20 },
  });
  session.on('error', () => {});
  session.once('connect', () => session.setLocalWindowSize(64 << 20));
  return session;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: string;
}

/** One request; gives the status and the body's bytes. */
export function request(session: ClientHttp2Session, call: Call): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      {
        ':method': call.method,
        ':path': call.path,
        accept: 'application/json',
        ...(call.body !== undefined && { 'content-type': 'application/json' }),
      },
      { endStream: call.body === undefined },
    );
    let status = 0;
    const chunks: Buffer[] = [];
    stream.on('response', (headers: IncomingHttpHeaders) => {
      status = Number(headers[':status']);
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => resolve({ status, body: Buffer.concat(chunks) }));
    stream.on('error', reject);
    if (call.body !== undefined) stream.end(call.body);
  });
}

/** Requests per second with so many in flight. Throws when one fails. */
export async function throughput(
  sessions: readonly ClientHttp2Session[],
  inFlight: number,
  seconds: number,
  next: (i: number) => Call,
): Promise<number> {
  let sent = 0;
  let done = 0;
  const until = performance.now() + seconds * 1_000;
  const started = performance.now();
  const worker = async (w: number) => {
    const session = sessions[w % sessions.length] as ClientHttp2Session;
    while (performance.now() < until) {
      const { status, body } = await request(session, next(sent++));
      if (status >= 300) throw new Error(`${status} ${body.toString().slice(0, 300)}`);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, w) => worker(w)));
  return done / ((performance.now() - started) / 1_000);
}

/** Rounds of each side before those that count: both run code that the host has yet to compile for speed. */
const warmUpRounds = 3;

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

export interface Comparison {
  readonly ours: number;
  readonly floor: number;
  readonly ratio: number;
}

/**
 * Measures two sides in short rounds by turns, after a few of each to warm up, so that what else the machine does meets both. Gives
 * medians; the ratio is the median of the rounds' ratios.
 */
export async function byTurns(
  rounds: number,
  ours: () => Promise<number>,
  floor: () => Promise<number>,
): Promise<Comparison> {
  const pairs: { mine: number; bare: number }[] = [];
  for (let i = 0; i < warmUpRounds + rounds; i++) {
    const first = i % 2 === 0 ? await floor() : undefined;
    const mine = await ours();
    const bare = first ?? (await floor());
    if (i >= warmUpRounds) pairs.push({ mine, bare });
  }
  return {
    ours: median(pairs.map(p => p.mine)),
    floor: median(pairs.map(p => p.bare)),
    ratio: median(pairs.map(p => p.mine / p.bare)),
  };
}
