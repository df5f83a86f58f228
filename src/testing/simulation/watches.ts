/** Watch = history: in order, without gaps, nothing twice, with the right previous values, and a whole revision at a time. */
import type { Unstructured } from '../../api/object.ts';
import { parseLabelSelector } from '../../api/selectors/index.ts';
import type { KeyRange, Watch, WatchBatch, WatchOptions } from '../../store/contract.ts';
import type { SeenRequest } from './network.ts';
import { type Entry, objectOf, type Records } from './records.ts';

export type Report = (message: string) => void;

const isIn = (key: string, { start, end }: KeyRange): boolean =>
  end === undefined ? key === start : key >= start && (end === '' || key < end);
const sameBytes = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === b || (!!a && !!b && a.length === b.length && a.every((byte, i) => byte === b[i]));

/** A watch of the store that is held against the records. */
export function checkedWatch(
  watch: Watch,
  range: KeyRange,
  options: WatchOptions,
  records: Records,
  report: Report,
): Watch {
  let last = options.fromRevision === undefined ? undefined : options.fromRevision - 1;
  const name = `a watch of ${range.start} from ${options.fromRevision ?? 'now'} on`;
  function check({ revision, events }: WatchBatch): void {
    const after = last ?? revision - 1;
    last = Math.max(after, revision);
    if (events.length > 0 && revision <= after) report(`${name} tells of ${revision} after ${after}`);
    records.once(revision, () => {
      const expected = records.between(after, revision).filter(entry => isIn(entry.key, range));
      const show = (of: readonly { key: string }[]) => of.map(({ key }) => key).join();
      const keys = events.map(({ kv }) => kv);
      if (show(expected) !== show(keys) || expected.some(entry => entry.revision !== revision))
        return report(`${name} tells of [${show(keys)}] at ${revision}, there was [${show(expected)}]`);
      expected.forEach((entry, i) => {
        const event = events[i];
        const value = event?.type === 'put' ? event.kv.value : undefined;
        if (!sameBytes(value, entry.value)) report(`${name} has another value of ${entry.key} at ${revision}`);
        if (options.prevKv && !sameBytes(event?.prevKv?.value, entry.previous?.value))
          report(`${name} has another value of ${entry.key} before ${revision}`);
      });
    });
  }
  return {
    ready: watch.ready,
    requestProgress: () => watch.requestProgress(),
    cancel: () => watch.cancel(),
    take() {
      const batch = watch.take?.();
      if (batch) check(batch);
      return batch;
    },
    async *[Symbol.asyncIterator]() {
      for await (const batch of watch) {
        check(batch);
        yield batch;
      }
    },
  };
}

/** What a watch of the API asks for. Undefined when it does not say from where on. */
interface Asked {
  /** The kind's keys begin with one of these. */
  readonly prefixes: readonly string[];
  readonly from: number;
  matches(object: Unstructured): boolean;
}

const watchPath = /^\/(?:api\/v1|apis\/([^/]+)\/[^/]+)\/(?:namespaces\/([^/]+)\/)?([^/]+)$/;

function asked({ path, query }: SeenRequest): Asked | undefined {
  const [, group, namespace, plural] = watchPath.exec(path) ?? [];
  const from = Number(query.get('resourceVersion') ?? 0);
  if (!plural || from === 0 || query.get('sendInitialEvents') === 'true') return undefined;
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const matchesFields = fieldMatcher(query.get('fieldSelector') ?? '');
  const scope = namespace ? `${namespace}/` : '';
  const kind = group ? `${group}/${plural}` : plural;
  return {
    prefixes: [`/registry/${kind}/${scope}`, ...(special[kind] ? [`/registry/${special[kind]}/${scope}`] : [])],
    from,
    matches: object => labels.matches(object.metadata?.labels) && matchesFields(object),
  };
}
/** Kinds whose keys are named otherwise, as upstream's are. */
const special: Readonly<Record<string, string>> = { services: 'services/specs', endpoints: 'services/endpoints' };

function fieldMatcher(selector: string): (object: Unstructured) => boolean {
  const terms = selector.split(',').flatMap(term => {
    const [, path, op, value] = /^([^=!]+)(!=|==?)(.*)$/.exec(term) ?? [];
    return path ? [{ names: path.split('.'), equal: op !== '!=', value }] : [];
  });
  const read = (object: unknown, names: readonly string[]): unknown =>
    names.reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], object);
  return object => terms.every(({ names, equal, value }) => (String(read(object, names) ?? '') === value) === equal);
}

interface Told {
  readonly type: string;
  readonly object: Unstructured;
}

/** What a watcher that selects must be told of a change: one that begins or ceases to match comes or goes. */
function expectedType(entry: Entry, { matches }: Asked): string | undefined {
  const [before, after] = [entry.previous && objectOf(entry.previous), objectOf(entry)];
  const [was, is] = [before !== undefined && matches(before), after !== undefined && matches(after)];
  if (was) return is ? 'MODIFIED' : 'DELETED';
  return is ? 'ADDED' : undefined;
}

const decoder = new TextDecoder();
/** The same bytes go to every watcher of a kind. */
const parsed = new WeakMap<Uint8Array, readonly Told[]>();

/** Whole lines of one chunk; undefined when the chunk ends within a line. */
function linesOf(chunk: Uint8Array): readonly Told[] | undefined {
  const known = parsed.get(chunk);
  if (known) return known;
  if (chunk.at(-1) !== 10) return undefined;
  const lines = decoder
    .decode(chunk)
    .split('\n')
    .filter(line => line !== '');
  const told = lines.map(line => JSON.parse(line) as Told);
  parsed.set(chunk, told);
  return told;
}

/** The answer to a watch of the API, as the server sends it, held against the records. */
export async function* checkedAnswer(
  request: SeenRequest,
  body: AsyncIterable<Uint8Array>,
  records: Records,
  report: Report,
): AsyncGenerator<Uint8Array> {
  let wanted = asked(request);
  let last = wanted?.from ?? 0;
  const name = `${request.part}'s watch of ${request.path}?${request.query}`;
  function check({ type, object }: Told, question: Asked): void {
    if (type === 'ERROR') return;
    const revision = Number(object.metadata?.resourceVersion);
    const after = last;
    last = Math.max(last, revision);
    if (revision < after || (revision === after && type !== 'BOOKMARK'))
      report(`${name} tells of ${revision} after ${after}`);
    records.once(revision, () => {
      const due = records.between(after, revision).flatMap(entry => {
        if (!question.prefixes.some(prefix => entry.key.startsWith(prefix))) return [];
        const expected = expectedType(entry, question);
        const metadata = (objectOf(entry) ?? (entry.previous && objectOf(entry.previous)))?.metadata;
        return expected ? [`${expected} ${metadata?.name} ${metadata?.uid} at ${entry.revision}`] : [];
      });
      const { metadata } = object;
      const told = type === 'BOOKMARK' ? [] : [`${type} ${metadata?.name} ${metadata?.uid} at ${revision}`];
      if (due.join() !== told.join()) report(`${name} tells [${told}] after ${after}, there was [${due}]`);
    });
  }
  for await (const chunk of body) {
    const lines = wanted && linesOf(chunk);
    // The server sends whole lines; what does not is no JSON.
    if (!lines) wanted = undefined;
    else for (const told of lines) if (wanted) check(told, wanted);
    yield chunk;
  }
}
