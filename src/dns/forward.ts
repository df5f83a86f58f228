/** Questions about other names: asked of upstream resolvers, answered from a cache where possible. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import {
  type Answer,
  type DecodedPacket,
  decode,
  encode,
  type Packet,
  type RecordType,
  streamEncode,
} from 'dns-packet';
import type { Clock } from '../base/clock.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';

export interface ForwardResult {
  readonly code: 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL';
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
}

export interface Forwarder {
  /** Never rejects: failure is SERVFAIL. */
  resolve(name: string, type: RecordType): Promise<ForwardResult>;
}

export interface ForwarderOptions {
  /** "address" or "address:port" or "[v6]:port"; asked in turn. */
  readonly upstreams: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  /** Under CoreDNS's names. */
  readonly metrics: Metrics;
  /** Milliseconds for one upstream's answer; default 1000, so that a dead first server costs less than a client's 5 s. */
  readonly timeoutMs?: number;
  /** Default 10,000. */
  readonly cacheSize?: number;
  /** Questions on the way at once; more are SERVFAIL. Default 1000. */
  readonly maxInFlight?: number;
}

const failure: ForwardResult = { code: 'SERVFAIL', answers: [], authorities: [] };
const maxTtl = 3600;
const maxNegativeTtl = 30;
/** A server that did not answer is asked last for so long. */
const avoidMs = 10_000;
/** Larger answers are passed on, not kept: the cache is bounded in entries. */
const maxCachedAnswers = 64;

interface Entry {
  readonly expires: number;
  readonly storedAt: number;
  readonly result: ForwardResult;
}

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { clock, random } = options;
  const servers = options.upstreams.map(parseServer);
  const cache = new Map<string, Entry>();
  const inFlight = new Map<string, Promise<ForwardResult>>();
  const limit = options.cacheSize ?? 10_000;
  const maxInFlight = options.maxInFlight ?? 1000;
  const avoidUntil = new Map<Server, number>();
  const meter = forwardMeter(options.metrics);

  function fromCache(key: string): ForwardResult | undefined {
    const entry = cache.get(key);
    if (!entry) return undefined;
    const now = clock.monotonic();
    if (entry.expires <= now) {
      cache.delete(key);
      return undefined;
    }
    cache.delete(key);
    cache.set(key, entry);
    const age = Math.floor((now - entry.storedAt) / 1000);
    return {
      ...entry.result,
      answers: entry.result.answers.map(a =>
        hasTtl(a) ? ({ ...a, ttl: Math.max(0, (a.ttl ?? 0) - age) } as Answer) : a,
      ),
    };
  }

  function keep(key: string, result: ForwardResult): void {
    const ttl = cacheTtl(result);
    if (ttl <= 0 || result.answers.length > maxCachedAnswers) return;
    const now = clock.monotonic();
    cache.set(key, { result, storedAt: now, expires: now + ttl * 1000 });
    for (const oldest of cache.keys()) {
      if (cache.size <= limit) break;
      cache.delete(oldest);
    }
  }

  /** As configured, those that failed lately behind the others. */
  function inOrder(): Server[] {
    const now = clock.monotonic();
    const avoided = (server: Server) => (avoidUntil.get(server) ?? 0) > now;
    return [...servers.filter(server => !avoided(server)), ...servers.filter(avoided)];
  }

  async function ask(name: string, type: RecordType): Promise<ForwardResult> {
    const timeoutMs = options.timeoutMs ?? 1000;
    for (const server of inOrder()) {
      const startedAt = clock.monotonic();
      try {
        let reply = await askServer(server, name, type, [ednsOption], timeoutMs);
        // An old server that does not know the option.
        if (rcodeOf(reply) === 'FORMERR') reply = await askServer(server, name, type, [], timeoutMs);
        avoidUntil.delete(server);
        const code = rcodeOf(reply);
        meter.answered(server, code, clock.monotonic() - startedAt);
        if (code === 'NOERROR' || code === 'NXDOMAIN')
          return { code, answers: reply.answers ?? [], authorities: reply.authorities ?? [] };
      } catch {
        // The next server may answer; when none does the client is told SERVFAIL.
        avoidUntil.set(server, clock.monotonic() + avoidMs);
      }
    }
    return failure;
  }

  async function askServer(
    server: Server,
    name: string,
    type: RecordType,
    additionals: Answer[],
    timeoutMs: number,
  ): Promise<DecodedPacket> {
    const questions = [{ name, type }];
    const query = { id: random.int(65_536), type: 'query', flags: 0x100, questions, additionals } satisfies Packet;
    const reply = await askUdp(server, query, clock, timeoutMs);
    return reply.flag_tc ? askTcp(server, query, clock, timeoutMs) : reply;
  }

  return {
    async resolve(name, type) {
      const key = `${type} ${name.toLowerCase()}`;
      const cached = fromCache(key);
      meter.looked(cached);
      if (cached) return cached;
      let pending = inFlight.get(key);
      if (!pending) {
        if (inFlight.size >= maxInFlight) return failure;
        pending = ask(name, type).then(result => {
          inFlight.delete(key);
          keep(key, result);
          return result;
        });
        inFlight.set(key, pending);
      }
      return pending;
    },
  };
}

/** Room for answers that would take a second question over TCP otherwise. */
const ednsOption: Answer = {
  ...{ type: 'OPT', name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false },
  options: [],
};

const rcodeOf = (reply: DecodedPacket) => (reply as { rcode?: string }).rcode ?? 'NOERROR';

function forwardMeter(metrics: Metrics) {
  const where = { server: '', zones: '.', view: '' };
  const hits = metrics.counter('coredns_cache_hits_total', 'The count of cache hits.');
  const misses = metrics.counter('coredns_cache_misses_total', 'The count of cache misses.');
  const durations = metrics.histogram(
    'coredns_proxy_request_duration_seconds',
    'Histogram of the time each request took.',
    Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i),
  );
  return {
    looked(cached: ForwardResult | undefined) {
      if (cached) hits.inc({ ...where, type: cached.answers.length > 0 ? 'success' : 'denial' });
      else misses.inc(where);
    },
    answered({ host, port }: Server, rcode: string, ms: number) {
      const to = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      durations.observe(ms / 1000, { proxy_name: 'forward', to, rcode });
    },
  };
}

function hasTtl(answer: Answer): answer is Answer & { ttl?: number } {
  return answer.type !== 'OPT';
}

function cacheTtl(result: ForwardResult): number {
  if (result.code === 'SERVFAIL') return 0;
  if (result.answers.length > 0)
    return Math.min(maxTtl, ...result.answers.map(a => (hasTtl(a) ? (a.ttl ?? 0) : maxTtl)));
  const soa = result.authorities.find(a => a.type === 'SOA');
  return Math.min(maxNegativeTtl, soa?.type === 'SOA' ? Math.min(soa.ttl ?? 0, soa.data.minimum ?? 0) : 5);
}

interface Server {
  readonly host: string;
  readonly port: number;
}

export function parseServer(text: string): Server {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(text);
  if (bracketed) return { host: bracketed[1] ?? '', port: Number(bracketed[2] ?? 53) };
  const parts = text.split(':');
  if (parts.length === 2) return { host: parts[0] ?? '', port: Number(parts[1]) };
  return { host: text, port: 53 };
}

/** Whether a packet is the reply to this question, not one made up by somebody who guesses ids. */
function answers(reply: DecodedPacket, query: Packet): boolean {
  const [asked] = query.questions ?? [];
  const [told] = reply.questions ?? [];
  return (
    reply.type === 'response' &&
    reply.id === query.id &&
    told?.type === asked?.type &&
    told?.name.toLowerCase() === asked?.name.toLowerCase()
  );
}

function askUdp(server: Server, query: Packet, clock: Clock, timeoutMs: number): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.host.includes(':') ? 'udp6' : 'udp4');
    let done = false;
    const finish = (act: () => void) => {
      if (done) return;
      done = true;
      timer.cancel();
      socket.close();
      act();
    };
    const timer = clock.setTimer(() => finish(() => reject(new Error('timeout'))), timeoutMs);
    socket.on('error', error => finish(() => reject(error)));
    socket.on('message', message => {
      try {
        const reply = decode(message);
        if (answers(reply, query)) finish(() => resolve(reply));
      } catch {
        // Not a DNS message: wait for the real one.
      }
    });
    // Connected, so that the kernel drops packets from anybody else and an ICMP refusal is an error at once.
    socket.connect(server.port, server.host, () => {
      if (!done) socket.send(encode(query), error => error && finish(() => reject(error)));
    });
  });
}

function askTcp(server: Server, query: Packet, clock: Clock, timeoutMs: number): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, server.host);
    let received: Buffer = Buffer.alloc(0);
    let done = false;
    const finish = (act: () => void) => {
      if (done) return;
      done = true;
      timer.cancel();
      socket.destroy();
      act();
    };
    const timer = clock.setTimer(() => finish(() => reject(new Error('timeout'))), timeoutMs);
    socket.on('error', error => finish(() => reject(error)));
    socket.once('close', () => finish(() => reject(new Error('closed'))));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      finish(() => {
        try {
          const reply = decode(received.subarray(2));
          if (answers(reply, query)) resolve(reply);
          else reject(new Error('the reply is to another question'));
        } catch (error) {
          reject(error);
        }
      });
    });
    socket.write(streamEncode(query));
  });
}
