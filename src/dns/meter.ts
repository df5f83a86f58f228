/** Counts answers under CoreDNS's names (plugin/metrics), so that its dashboards and alerts work. */
import type { DecodedPacket, Packet } from 'dns-packet';
import type { Clock } from '../base/clock.ts';
import type { Labels, Metrics } from '../base/metrics.ts';

/** Of one kind of answer; made once, because the text of frozen labels is kept. */
export interface AnswerLabels {
  readonly request: Labels;
  readonly response: Labels;
  readonly duration: Labels;
}

export interface DnsMeter {
  /** Milliseconds, for `observe`. */
  now(): number;
  labels(
    query: DecodedPacket,
    reply: Packet,
    server: { readonly address: string; readonly port: number },
    proto: 'udp' | 'tcp',
  ): AnswerLabels;
  observe(labels: AnswerLabels, startedAt: number): void;
}

const rcodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];
/** Other types count as one: a client must not be able to make series. */
const knownTypes = new Set(
  'A AAAA ANY CAA CNAME DNSKEY DS HTTPS MX NAPTR NS NSEC NSEC3 PTR RRSIG SOA SRV SVCB TLSA TXT'.split(' '),
);
const durationBuckets = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
const authoritative = 0x0400;

export function createDnsMeter(metrics: Metrics, clock: Clock, clusterDomain: string): DnsMeter {
  const requests = metrics.counter(
    'coredns_dns_requests_total',
    'Counter of DNS requests made per zone, protocol and family.',
  );
  const responses = metrics.counter('coredns_dns_responses_total', 'Counter of response status codes.');
  const durations = metrics.histogram(
    'coredns_dns_request_duration_seconds',
    'Histogram of the time (in seconds) each request took per zone.',
    durationBuckets,
  );
  const made = new Map<string, AnswerLabels>();
  return {
    now: () => clock.monotonic(),
    labels(query, reply, { address, port }, proto) {
      const flags = reply.flags ?? 0;
      const asked = query.questions?.[0]?.type ?? 'none';
      const type = knownTypes.has(asked) ? asked : 'other';
      const own = (flags & authoritative) !== 0;
      const key = `${address} ${port} ${proto} ${type} ${flags & 15} ${own}`;
      const known = made.get(key);
      if (known) return known;
      const server = `dns://${address.includes(':') ? `[${address}]` : address}:${port}`;
      const where = { server, zone: own ? `${clusterDomain}.` : '.', view: '' };
      const labels = {
        request: Object.freeze({ ...where, proto, family: address.includes(':') ? '2' : '1', type }),
        response: Object.freeze({
          ...{ ...where, rcode: rcodes[flags & 15] ?? 'SERVFAIL', plugin: own ? 'kubernetes' : 'forward' },
        }),
        duration: Object.freeze(where),
      };
      made.set(key, labels);
      return labels;
    },
    observe({ request, response, duration }, startedAt) {
      requests.inc(request);
      responses.inc(response);
      durations.observe((clock.monotonic() - startedAt) / 1000, duration);
    },
  };
}
