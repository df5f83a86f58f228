/** From a query packet to a reply packet: the zone first, then aliases, the search-path shortcut, and forwarding. */
import type { Answer, DecodedPacket, Packet, Question, RecordType } from 'dns-packet';
import type { Forwarder } from './forward.ts';
import type { QuestionType, Zone, ZoneAnswer } from './zone.ts';

export interface ResponderOptions {
  readonly zone: Zone;
  readonly forwarder: Forwarder;
  readonly clusterDomain: string;
  /**
   * The namespace of the pod with this address, if known. A pod's resolver tries every search suffix before the name itself (ndots:5); when the
   * first suffix is this pod's own, the answer for the bare name is given at once, as an alias, and the other rounds never happen.
   */
  readonly namespaceOf?: (clientAddress: string) => string | undefined;
}

/** A reply; `version` is there when every client gets the same until the zone's version is another. */
export type ReplyPacket = Packet & { readonly version?: number };
export interface Responder {
  (query: DecodedPacket, clientAddress: string): Promise<ReplyPacket>;
  /** The zone's. */
  readonly version: number;
}

const authoritative = 0x0400;
const recursionAvailable = 0x0080;
const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
type Rcode = keyof typeof rcodes;
const zoneTypes = new Set<string>(['A', 'AAAA', 'SRV', 'PTR', 'CNAME', 'TXT', 'SOA', 'NS', 'ANY']);

interface Reply {
  readonly code: Rcode;
  readonly answers: readonly Answer[];
  readonly authorities?: readonly Answer[];
  readonly additionals?: readonly Answer[];
  readonly authoritative: boolean;
  readonly version?: number;
}

type Alias = ZoneAnswer & { code: 'ALIAS' };
const isAddress = (answer: Answer) => answer.type === 'A' || answer.type === 'AAAA';
/** Aliases followed for one question. */
const maxAliases = 8;

export function createResponder(options: ResponderOptions): Responder {
  const { zone, forwarder, clusterDomain } = options;
  const soa: Answer = {
    name: clusterDomain,
    type: 'SOA',
    ttl: 5,
    data: {
      mname: `ns.dns.${clusterDomain}`,
      rname: `hostmaster.${clusterDomain}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: 5,
    },
  };

  async function forward(question: Question): Promise<Reply> {
    const result = await forwarder.resolve(question.name, question.type as RecordType);
    return { code: result.code, answers: result.answers, authorities: result.authorities, authoritative: false };
  }

  async function followAliases(first: Alias, question: Question): Promise<Reply> {
    const answers: Answer[] = [first.cname];
    if (question.type === 'CNAME') return { code: 'NOERROR', answers, authoritative: true };
    let { target } = first;
    const seen = new Set<string>();
    while (answers.length < maxAliases && !seen.has(target)) {
      seen.add(target);
      const inside = zone.answer(target, questionType(question));
      if (!inside) {
        const outside = await forwarder.resolve(target, question.type as RecordType);
        return { code: 'NOERROR', answers: [...answers, ...outside.answers], authoritative: true };
      }
      if (inside.code !== 'ALIAS')
        return { code: 'NOERROR', answers: [...answers, ...inside.answers], authoritative: true };
      answers.push(inside.cname);
      ({ target } = inside);
    }
    return { code: 'NOERROR', answers, authoritative: true };
  }

  /** The name a pod meant, when the question is its first search suffix put after it. */
  function bareName(name: string, clientAddress: string): { bare: string; others: string[] } | undefined {
    const namespace = options.namespaceOf?.(clientAddress);
    if (namespace === undefined) return undefined;
    const suffix = `.${namespace}.svc.${clusterDomain}`;
    if (!name.toLowerCase().endsWith(suffix)) return undefined;
    const bare = name.slice(0, -suffix.length);
    return { bare, others: [`${bare}.svc.${clusterDomain}`, `${bare}.${clusterDomain}`] };
  }

  async function shortcut(question: Question, clientAddress: string): Promise<Reply | undefined> {
    const path = bareName(question.name, clientAddress);
    if (!path?.bare.includes('.') || path.bare.startsWith('_')) return undefined;
    const alias = (target: string): Answer => ({ name: question.name, type: 'CNAME', ttl: 5, data: target });
    for (const candidate of path.others) {
      const inside = zone.answer(candidate, questionType(question));
      if (inside?.code === 'NOERROR')
        return { code: 'NOERROR', answers: [alias(candidate), ...inside.answers], authoritative: true };
    }
    const inside = zone.answer(path.bare, questionType(question));
    if (inside?.code === 'NOERROR')
      return { code: 'NOERROR', answers: [alias(path.bare), ...inside.answers], authoritative: true };
    if (inside) return undefined;
    const outside = await forwarder.resolve(path.bare, question.type as RecordType);
    if (outside.code !== 'NOERROR') return undefined;
    return {
      code: 'NOERROR',
      answers: [alias(path.bare), ...outside.answers],
      authorities: outside.authorities,
      authoritative: false,
    };
  }

  async function reply(question: Question, clientAddress: string): Promise<Reply> {
    const { version } = zone;
    const inside = zone.answer(question.name, questionType(question));
    if (!inside) return forward(question);
    if (inside.code === 'ALIAS') return followAliases(inside, question);
    if (inside.code === 'NXDOMAIN' && (question.type === 'A' || question.type === 'AAAA')) {
      const meant = await shortcut(question, clientAddress);
      if (meant) return meant;
    }
    const negative = inside.code === 'NXDOMAIN' || inside.answers.length === 0;
    const atApex = question.name.toLowerCase() === clusterDomain && question.type === 'SOA';
    return {
      code: inside.code,
      answers: atApex ? [soa] : inside.answers,
      authorities: negative && !atApex ? [soa] : [],
      additionals: inside.additionals,
      authoritative: true,
      // A name that is not there may be what some pod's search path leads to.
      ...(inside.code === 'NOERROR' && { version }),
    };
  }

  /** Most clients take the first address: each answer begins with another one, as with CoreDNS's `loadbalance`. */
  let turn = 0;
  function inTurn(answers: readonly Answer[]): readonly Answer[] {
    const addresses = answers.filter(isAddress);
    if (addresses.length < 2) return answers;
    const first = turn++ % addresses.length;
    const others = answers.filter(answer => !isAddress(answer));
    return [...others, ...addresses.slice(first), ...addresses.slice(0, first)];
  }

  async function respond(query: DecodedPacket, clientAddress: string): Promise<ReplyPacket> {
    const question = query.questions?.[0];
    if (((query.flags ?? 0) >> 11) & 15) return packet(query, { code: 'NOTIMP', answers: [], authoritative: false });
    if (query.additionals?.some(a => a.type === 'OPT' && a.ednsVersion > 0)) return badVersion(query);
    if (!question || query.questions?.length !== 1)
      return packet(query, { code: 'FORMERR', answers: [], authoritative: false });
    if (question.class !== undefined && question.class !== 'IN')
      return packet(query, { code: 'REFUSED', answers: [], authoritative: false });
    const made = await reply(question, clientAddress);
    return packet(query, { ...made, answers: inTurn(made.answers) });
  }
  return Object.defineProperty(respond, 'version', { get: () => zone.version }) as Responder;
}

/** RFC 6891, 6.1.3: the upper bits of code 16 are in the option. */
function badVersion(query: DecodedPacket): ReplyPacket {
  const made = packet(query, { code: 'NOERROR', answers: [], authoritative: false });
  return {
    ...made,
    additionals: (made.additionals ?? []).map(a => (a.type === 'OPT' ? { ...a, extendedRcode: 1 } : a)),
  };
}

function questionType(question: Question): QuestionType {
  return zoneTypes.has(question.type) ? (question.type as QuestionType) : 'OTHER';
}

function packet(query: DecodedPacket, reply: Reply): ReplyPacket {
  const wantsRecursion = (query.flags ?? 0) & 0x100;
  const edns = query.additionals?.some(a => a.type === 'OPT');
  const opt: Answer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  return {
    id: query.id ?? 0,
    type: 'response',
    flags: (reply.authoritative ? authoritative : 0) | recursionAvailable | wantsRecursion | rcodes[reply.code],
    questions: query.questions ?? [],
    answers: [...reply.answers],
    authorities: [...(reply.authorities ?? [])],
    additionals: [...(reply.additionals ?? []), ...(edns ? [opt] : [])],
    ...(reply.version !== undefined && { version: reply.version }),
  };
}
