/**
 * Requests and their answers, so that two servers can be compared: the same scenario runs against each, and what cannot be equal (ids,
 * times, revisions, allocated addresses) is replaced by names before comparing.
 */
import type { ApiResponse, Transport } from '../../src/api/transport.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are whatever the server says
export type Json = any;

export interface Ask {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: string;
  readonly type?: string;
  readonly accept?: string;
}
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly warnings?: string;
  readonly allow?: string;
  readonly body: Json;
}
export interface Exchange {
  readonly scenario: string;
  readonly request: { readonly method: string; readonly target: string } & Ask;
  readonly answer: Answer;
}
export interface Session {
  /** A namespace of the scenario's own, with a default service account. */
  readonly ns: string;
  ask(method: string, target: string, ask?: Ask): Promise<Json>;
  /** The first events of a watch, as one exchange; `act` runs once it is open. */
  watch(target: string, count: number, act?: () => Promise<unknown>): Promise<void>;
  /** Not recorded. */
  quiet(method: string, target: string, ask?: Ask): Promise<{ status: number; body: Json }>;
}
export interface Scenario {
  readonly name: string;
  run(session: Session): Promise<void>;
}

async function readAll(body: ApiResponse['body']): Promise<string> {
  if (body === undefined) return '';
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function split(target: string): { path: string; query: URLSearchParams } {
  const at = target.indexOf('?');
  if (at < 0) return { path: target, query: new URLSearchParams() };
  return { path: target.slice(0, at), query: new URLSearchParams(target.slice(at + 1)) };
}

async function send(transport: Transport, method: string, target: string, ask: Ask): Promise<Answer> {
  const text = ask.raw ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body));
  const response = await transport.request({
    method,
    ...split(target),
    headers: {
      accept: ask.accept ?? 'application/json',
      'user-agent': 'comparison/1',
      ...(text !== undefined && { 'content-type': ask.type ?? 'application/json' }),
    },
    ...(text !== undefined && { body: Buffer.from(text) }),
    signal: AbortSignal.timeout(60_000),
  });
  const { headers, status } = response;
  return {
    status,
    type: headers['content-type'] ?? '',
    ...(headers['warning'] && { warnings: headers['warning'] }),
    ...(headers['allow'] && { allow: headers['allow'] }),
    body: parsed(await readAll(response.body)),
  };
}

/** Some events of a watch: `act` runs when the answer's head is there. */
async function events(transport: Transport, target: string, count: number, act?: () => Promise<unknown>): Promise<Answer> {
  const gone = AbortSignal.timeout(20_000);
  const end = new AbortController();
  const response = await transport.request({
    ...{ method: 'GET', ...split(target), headers: { accept: 'application/json' } },
    signal: AbortSignal.any([gone, end.signal]),
  });
  const head = { status: response.status, type: response.headers['content-type'] ?? '' };
  if (response.status !== 200 || !response.body || response.body instanceof Uint8Array)
    return { ...head, body: parsed(await readAll(response.body)) };
  const acting = act?.();
  const got: Json[] = [];
  let rest = '';
  try {
    for await (const chunk of response.body) {
      const lines = (rest + Buffer.from(chunk).toString()).split('\n');
      rest = lines.pop() ?? '';
      got.push(...lines.map(parsed));
      if (got.length >= count) break;
    }
  } catch (error) {
    if (!gone.aborted) throw error;
  }
  await acting;
  end.abort();
  return { ...head, body: got.slice(0, count) };
}

/** Runs a scenario against one server and gives what was said, names in the place of chance. */
export async function record(transport: Transport, { name, run }: Scenario, ns: string): Promise<Exchange[]> {
  const out: Exchange[] = [];
  const names = newNames(ns);
  const add = (method: string, target: string, ask: Ask, answer: Answer) =>
    out.push({ scenario: name, request: names({ method, target, ...ask }), answer: names(answer) } as Exchange);
  await prepare(transport, ns);
  await run({
    ns,
    async ask(method, target, ask = {}) {
      const answer = await send(transport, method, target, ask);
      add(method, target, ask, answer);
      return answer.body;
    },
    async watch(target, count, act) {
      add('WATCH', target, {}, await events(transport, target, count, act));
    },
    quiet: (method, target, ask = {}) => send(transport, method, target, ask),
  });
  return out;
}

async function prepare(transport: Transport, ns: string): Promise<void> {
  const named = (name: string) => ({ metadata: { name } });
  await send(transport, 'POST', '/api/v1/namespaces', { body: { apiVersion: 'v1', kind: 'Namespace', ...named(ns) } });
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', ...named('default'), automountServiceAccountToken: false };
  await send(transport, 'POST', `/api/v1/namespaces/${ns}/serviceaccounts`, { body: account });
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const thisYear = (text: string) => Math.abs(Date.parse(text) - Date.now()) < 86_400_000;

/** Gives what differs between two runs a name by order of appearance, the same one each time within a scenario. */
function newNames(ns: string): (value: Json) => Json {
  const known = new Map<string, string>();
  const counts = new Map<string, number>();
  const named = (kind: string, value: string) => {
    const before = known.get(`${kind} ${value}`);
    if (before) return before;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const name = `<${kind} ${count}>`;
    known.set(`${kind} ${value}`, name);
    return name;
  };
  const text = (value: string) =>
    value
      .replaceAll(uuid, id => (id.startsWith('00000000') ? id : named('uid', id)))
      .replaceAll(ns, 'ns')
      .replaceAll(/\b10\.96\.\d+\.\d+\b/g, ip => (/^10\.96\.0\.\d$/.test(ip) ? ip : named('address', ip)));
  const field = (key: string, value: Json, parent: Json): Json => {
    if (typeof value === 'number' && /nodePort$/i.test(key) && value >= 30_100) return named('port', String(value));
    if (typeof value !== 'string') return walk(value);
    if (key === 'resourceVersion') {
      if (!/^\d+$/.test(value) || value === '0') return value;
      // A list's revision moves with everything in the server.
      return parent.remainingItemCount !== undefined || parent.name === undefined ? '<revision>' : named('revision', value);
    }
    if (key === 'continue' && value.length > 20) return '<continue>';
    if (moment.test(value) && thisYear(value)) return '<time>';
    if (parent.generateName && (key === 'name' || key === 'generateName') && value.startsWith(parent.generateName))
      return value.length > parent.generateName.length ? `${parent.generateName}<suffix>` : value;
    return text(value);
  };
  const walk = (value: Json): Json => {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return value.map(item => (typeof item === 'string' ? field('', item, {}) : walk(item)));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'selfLink')
        .map(([key, item]) => [key, field(key, item, value)]),
    );
  };
  return walk;
}

export interface Difference {
  readonly scenario: string;
  readonly request: Exchange['request'];
  /** Where in the answer, by dotted path; list items by number. */
  readonly at: string;
  /** Undefined when absent. */
  readonly original: Json;
  readonly ours: Json;
}

/** What of two answers to one request is unlike. */
export function compare(original: Exchange, ours: Exchange): Difference[] {
  const out: Difference[] = [];
  const { scenario, request } = original;
  const add = (at: string, a: Json, b: Json) => out.push({ scenario, request, at, original: a, ours: b });
  const walk = (at: string, a: Json, b: Json): void => {
    if (a === b) return;
    const bothLists = Array.isArray(a) && Array.isArray(b);
    const objects = typeof a === 'object' && typeof b === 'object' && a !== null && b !== null;
    if (!objects || Array.isArray(a) !== Array.isArray(b) || (bothLists && a.length !== b.length)) {
      if (JSON.stringify(a) !== JSON.stringify(b)) add(at, a, b);
      return;
    }
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) walk(at ? `${at}.${key}` : key, a[key], b[key]);
  };
  const [a, b] = [original.answer, ours.answer];
  // Another outcome altogether is one difference, not one per field.
  if (a.status !== b.status || a.body?.kind !== b.body?.kind) add('outcome', outcome(a), outcome(b));
  else walk('', a, b);
  return out;
}

const outcome = ({ status, body }: Answer) => ({ status, kind: body?.kind, message: body?.message });
