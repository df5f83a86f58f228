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

/** Undefined when the server broke off, as the original does where it panics. */
async function answered(transport: Transport, request: Parameters<Transport['request']>[0]) {
  try {
    return await transport.request(request);
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_HTTP2_STREAM_ERROR') return undefined;
    throw error;
  }
}

async function send(transport: Transport, method: string, target: string, ask: Ask): Promise<Answer> {
  const text = ask.raw ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body));
  const response = await answered(transport, {
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
  if (!response) return { status: 0, type: '', body: 'reset' };
  const { headers, status } = response;
  return {
    status,
    type: headers['content-type'] ?? '',
    ...(headers['warning'] && { warnings: headers['warning'] }),
    ...(headers['allow'] && { allow: headers['allow'] }),
    body: parsed(await readAll(response.body)),
  };
}

/** How long a watch may say nothing, in milliseconds. */
const patience = 5_000;

/** Some events of a watch: `act` runs when the answer's head is there. */
async function events(
  transport: Transport,
  target: string,
  count: number,
  act?: () => Promise<unknown>,
): Promise<Answer> {
  const gone = AbortSignal.timeout(patience);
  const end = new AbortController();
  const response = await transport
    .request({
      ...{ method: 'GET', ...split(target), headers: { accept: 'application/json' } },
      signal: AbortSignal.any([gone, end.signal]),
    })
    .catch(error => {
      if (gone.aborted) return undefined;
      throw error;
    });
  if (!response) return { status: 0, type: '', body: 'silence' };
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
  const names = newNames(ns, name.startsWith('apply'));
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
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    ...named('default'),
    automountServiceAccountToken: false,
  };
  await send(transport, 'POST', `/api/v1/namespaces/${ns}/serviceaccounts`, { body: account });
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const thisYear = (text: string) => Math.abs(Date.parse(text) - Date.now()) < 86_400_000;

/**
 * Puts names in the place of what differs from run to run. A revision says whether it is the one seen last of its object. Texts of
 * documentation are left out, and who manages fields where nothing is applied.
 */
function newNames(ns: string, withManagers: boolean): (value: Json) => Json {
  const dropped = (key: string, parent: Json) =>
    key === 'selfLink' ||
    (key === 'managedFields' && !withManagers) ||
    (key === 'description' && parent.priority !== undefined && parent.jsonPath === undefined);
  /** The last revision seen of each object. */
  const revisions = new Map<string, string>();
  const revision = (value: string, { uid }: { uid?: string }) => {
    if (uid === undefined) return '<revision>';
    const before = revisions.get(uid);
    revisions.set(uid, value);
    return before === value ? '<same revision>' : '<new revision>';
  };
  const text = (value: string) =>
    value
      .replaceAll(uuid, id => (id.startsWith('00000000') ? id : '<uid>'))
      .replaceAll(ns, 'ns')
      .replaceAll(/(made-|Bad_)[a-z0-9]{5}\b/g, '$1<suffix>')
      .replaceAll(/resourceVersion=(?!9999)\d{2,}/g, 'resourceVersion=<revision>')
      .replaceAll(/continue=[\w%-]{20,}/g, 'continue=<continue>')
      .replaceAll(/("|\\")resourceVersion("|\\"):("|\\")\d+/g, '$1resourceVersion$2:$3<revision>')
      .replaceAll(/\b10\.96\.\d+\.\d+\b/g, ip => (/^10\.96\.0\.\d$/.test(ip) ? ip : '<address>'));
  const field = (key: string, value: Json, parent: Json): Json => {
    if (typeof value === 'number' && /nodePort$/i.test(key) && value >= 30_100 && value <= 32_767) return '<port>';
    if (typeof value !== 'string') return walk(value);
    if (key === 'resourceVersion') {
      if (!/^\d+$/.test(value) || value === '0') return value;
      return revision(value, parent);
    }
    if (key === 'continue' && value.length > 20) return '<continue>';
    if (moment.test(value) && thisYear(value)) return '<time>';
    if (/^\d+s$/.test(value)) return '<age>';
    return text(value);
  };
  const walk = (value: Json): Json => {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return value.map(item => (typeof item === 'string' ? field('', item, {}) : walk(item)));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => !dropped(key, value))
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

/**
 * What of two answers to one request is unlike. Items of our lists say their kind and version, as the stored bytes do; the original's,
 * which come from typed lists, leave both out.
 */
export function compare(original: Exchange, ours: Exchange): Difference[] {
  const out: Difference[] = [];
  const { scenario, request } = original;
  const add = (at: string, a: Json, b: Json) => out.push({ scenario, request, at, original: a, ours: b });
  const walk = (at: string, first: Json, second: Json): void => {
    const [a, b] = at === 'body.resources' ? [byName(first), byName(second)] : [first, second];
    // Go cannot leave out a time that is empty; no client tells null from absence.
    if (a === b || (a ?? undefined) === (b ?? undefined)) return;
    const bothLists = Array.isArray(a) && Array.isArray(b);
    const objects = typeof a === 'object' && typeof b === 'object' && a !== null && b !== null;
    if (!objects || Array.isArray(a) !== Array.isArray(b) || (bothLists && a.length !== b.length)) {
      if (JSON.stringify(a) !== JSON.stringify(b)) add(at, a, b);
      return;
    }
    const item = /^body\.items\.\d+$/.test(at) && a.kind === undefined;
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      if (!item || (key !== 'kind' && key !== 'apiVersion')) walk(at ? `${at}.${key}` : key, a[key], b[key]);
  };
  const [a, b] = [original.answer, ours.answer];
  // Another outcome altogether is one difference, not one per field.
  if (a.status !== b.status || a.body?.kind !== b.body?.kind) add('outcome', outcome(a), outcome(b));
  else walk('', a, b);
  return out;
}

/** Later versions have more: discovered resources are compared name by name. */
const byName = (list: Json): Json => Object.fromEntries((list ?? []).map((item: Json) => [item.name, item]));

const outcome = ({ status, body }: Answer) => ({ status, kind: body?.kind, message: body?.message });
