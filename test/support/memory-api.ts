/**
 * A minimal API for tests of clients and controllers on virtual time: generic REST over maps, with revisions, watches, finalizers,
 * subresource status, and faults from a seed. It knows nothing about kinds (no defaults, no validation).
 */
import type { KubeObject, Unstructured } from '../../src/api/object.ts';
import type { ApiRequest, ApiResponse, Handler } from '../../src/api/transport.ts';
import { type Clock, rfc3339 } from '../../src/base/clock.ts';
import { ApiError, errors, messageOf } from '../../src/base/errors.ts';
import { nameSuffix, type Random, uuid } from '../../src/base/random.ts';

export interface Faults {
  /** Chance that a write fails before it takes effect (500). */
  failBefore?: number;
  /** Chance that a write takes effect but its answer is lost. */
  failAfter?: number;
  /** Chance, per event, that a watch connection breaks. */
  breakWatch?: number;
  /** Up to so many milliseconds of delay per event. */
  delayMs?: number;
  /** Chance, per event, that it is sent twice. */
  repeat?: number;
  /** Nothing answers. */
  down?: boolean;
}
interface Change {
  revision: number;
  resource: string;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: Unstructured;
  old?: Unstructured;
}
export interface MemoryApi {
  readonly handler: Handler;
  readonly faults: Faults;
  readonly revision: number;
  /** Direct access, past faults. Resource as "apps/v1/deployments". */
  objects(resource: string): Unstructured[];
  /** Called after each change, before watchers. */
  onChange(fn: (change: Change) => void): void;
  /** Forgets history: watches from before get 410. */
  compact(): void;
  readonly requests: string[];
}

interface Target {
  resource: string;
  plural: string;
  group: string;
  namespace: string;
  name: string;
  subresource: string;
}
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function memoryApi(clock: Clock, random: Random): MemoryApi {
  const tables = new Map<string, Map<string, Unstructured>>();
  const history: Change[] = [];
  const listeners = new Set<() => void>();
  const observers: ((change: Change) => void)[] = [];
  const requests: string[] = [];
  const faults: Faults = {};
  let revision = 1;
  let floor = 0;
  const table = (resource: string) => {
    const known = tables.get(resource) ?? new Map<string, Unstructured>();
    tables.set(resource, known);
    return known;
  };
  const keyOf = (t: Pick<Target, 'namespace' | 'name'>) => `${t.namespace}/${t.name}`;

  function commit(t: Target, type: Change['type'], object: Unstructured, old?: Unstructured): Unstructured {
    revision += 1;
    object.metadata.resourceVersion = String(revision);
    const key = keyOf({ namespace: object.metadata.namespace ?? '', name: object.metadata.name });
    if (type === 'DELETED') table(t.resource).delete(key);
    else table(t.resource).set(key, object);
    const change: Change = { revision, resource: t.resource, type, object, ...(old && { old }) };
    history.push(change);
    for (const fn of observers) fn(change);
    for (const fn of [...listeners]) fn();
    return object;
  }
  function create(t: Target, body: Unstructured): Unstructured {
    const object = structuredClone(body);
    if (t.subresource) return object;
    object.metadata ??= { name: '' };
    object.metadata.name ||= `${object.metadata.generateName ?? ''}${nameSuffix(random)}`;
    if (t.namespace) object.metadata.namespace = t.namespace;
    const gr = { group: t.group, resource: t.plural };
    if (table(t.resource).has(keyOf({ namespace: t.namespace, name: object.metadata.name })))
      throw errors.alreadyExists(gr, object.metadata.name);
    object.metadata.uid = uuid(random);
    object.metadata.creationTimestamp = rfc3339(clock.now());
    object.metadata.generation = 1;
    return commit(t, 'ADDED', object);
  }
  function existing(t: Target): Unstructured {
    const found = table(t.resource).get(keyOf(t));
    if (!found) throw errors.notFound({ group: t.group, resource: t.plural }, t.name);
    return found;
  }
  function update(t: Target, body: Unstructured): Unstructured {
    const old = existing(t);
    const given = body.metadata.resourceVersion;
    if (given && given !== old.metadata.resourceVersion)
      throw errors.conflict({ group: t.group, resource: t.plural }, t.name, 'the object has been modified');
    if (body.metadata.uid && body.metadata.uid !== old.metadata.uid)
      throw errors.conflict({ group: t.group, resource: t.plural }, t.name, 'Precondition failed: UID in precondition');
    const next = structuredClone(body);
    const { uid, creationTimestamp, deletionTimestamp, generation = 1 } = old.metadata;
    Object.assign(next.metadata, {
      uid,
      creationTimestamp,
      generation,
      ...(deletionTimestamp && { deletionTimestamp }),
    });
    if (t.subresource === 'status') Object.assign(next, { ...structuredClone(old), status: next['status'] });
    else if (t.subresource === '' && old['status'] !== undefined && t.plural !== 'pods') next['status'] = old['status'];
    if (JSON.stringify(strip(next)) === JSON.stringify(strip(old))) return old;
    if (JSON.stringify(next['spec']) !== JSON.stringify(old['spec'])) next.metadata.generation = generation + 1;
    if (next.metadata.deletionTimestamp && !next.metadata.finalizers?.length) return commit(t, 'DELETED', next, old);
    return commit(t, 'MODIFIED', next, old);
  }
  function remove(t: Target, options: Record<string, unknown>): Unstructured {
    const old = existing(t);
    const { uid, resourceVersion } = (options['preconditions'] ?? {}) as { uid?: string; resourceVersion?: string };
    if ((uid && uid !== old.metadata.uid) || (resourceVersion && resourceVersion !== old.metadata.resourceVersion))
      throw errors.conflict({ group: t.group, resource: t.plural }, t.name, 'Precondition failed');
    const next = structuredClone(old);
    const policy = options['propagationPolicy'];
    const finalizers = new Set(next.metadata.finalizers);
    if (policy === 'Foreground') finalizers.add('foregroundDeletion');
    if (policy === 'Orphan') finalizers.add('orphan');
    const scheduled = t.plural === 'pods' && (next['spec'] as { nodeName?: string } | undefined)?.nodeName;
    const grace = options['gracePeriodSeconds'] ?? (scheduled ? 30 : 0);
    if (finalizers.size === 0 && !grace) return commit(t, 'DELETED', next, old);
    if (finalizers.size > 0) next.metadata.finalizers = [...finalizers];
    if (
      old.metadata.deletionTimestamp &&
      JSON.stringify(old.metadata.finalizers) === JSON.stringify(next.metadata.finalizers)
    )
      return old;
    next.metadata.deletionTimestamp ??= rfc3339(clock.now());
    next.metadata.deletionGracePeriodSeconds = Number(grace);
    return commit(t, 'MODIFIED', next, old);
  }
  function write(request: ApiRequest, t: Target): Unstructured {
    const body = request.body ? (JSON.parse(decoder.decode(request.body)) as Unstructured) : undefined;
    if (request.method === 'DELETE') {
      if (t.name) return remove(t, body ?? {});
      for (const obj of select(t, request.query))
        remove({ ...t, name: obj.metadata.name, namespace: obj.metadata.namespace ?? '' }, {});
      return { metadata: { name: '' }, kind: 'Status' };
    }
    if (!body) throw errors.badRequest('no body');
    if (request.method === 'POST') return create(t, body);
    if (request.method === 'PUT') return update(t, body);
    const type = request.headers['content-type'] ?? '';
    const old = table(t.resource).get(keyOf(t));
    if (!old && type.includes('apply')) return create({ ...t, subresource: '' }, body);
    const base = structuredClone(existing(t));
    const patched = type.includes('json-patch')
      ? jsonPatch(base, body)
      : (mergePatch(base, body, type) as Unstructured);
    return update(t, patched);
  }
  function select(t: Target, query: URLSearchParams): Unstructured[] {
    const matches = selection(t, query);
    return [...table(t.resource).values()].filter(matches);
  }
  function list(t: Target, query: URLSearchParams): ApiResponse {
    return json(200, { kind: 'List', metadata: { resourceVersion: String(revision) }, items: select(t, query) });
  }
  async function* watch(t: Target, query: URLSearchParams, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const matches = selection(t, query);
    let at = Number(query.get('resourceVersion') || revision);
    for (;;) {
      if (signal.aborted || faults.down) return;
      for (const change of history.filter(c => c.revision > at && c.resource === t.resource)) {
        at = change.revision;
        const was = change.old !== undefined && matches(change.old);
        const is = matches(change.object);
        if (!was && !is) continue;
        const type = change.type === 'DELETED' || !is ? 'DELETED' : !was ? 'ADDED' : change.type;
        const line = encoder.encode(`${JSON.stringify({ type, object: change.object })}\n`);
        if (random.next() < (faults.breakWatch ?? 0)) throw new Error('watch connection broke');
        if (faults.delayMs) await new Promise<void>(r => clock.setTimer(r, random.int(faults.delayMs ?? 1)));
        if (faults.down) throw new Error('server is down');
        yield line;
        if (random.next() < (faults.repeat ?? 0)) yield line;
      }
      await new Promise<void>(resolve => {
        const wake = () => {
          listeners.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        listeners.add(wake);
        signal.addEventListener('abort', wake);
        if (signal.aborted || history.some(c => c.revision > at && c.resource === t.resource)) wake();
      });
    }
  }
  const handler: Handler = async request => {
    if (faults.down) throw new Error('connection refused');
    requests.push(`${request.method} ${request.path}`);
    const t = parse(request.path);
    try {
      if (request.method === 'GET') {
        if (request.query.get('watch') === 'true') {
          if (Number(request.query.get('resourceVersion') || revision) < floor)
            throw errors.expired('too old resource version');
          return { status: 200, headers: {}, body: watch(t, request.query, request.signal) };
        }
        return t.name ? json(200, existing(t)) : list(t, request.query);
      }
      if (random.next() < (faults.failBefore ?? 0)) throw errors.internal('injected before');
      const answer = write(request, t);
      if (random.next() < (faults.failAfter ?? 0)) throw errors.internal('injected after');
      return json(request.method === 'POST' ? 201 : 200, answer);
    } catch (e) {
      if (e instanceof ApiError) return json(e.code, e.status);
      return json(500, errors.internal(messageOf(e)).status);
    }
  };
  return {
    handler,
    faults,
    requests,
    get revision() {
      return revision;
    },
    objects: resource => [...table(resource).values()],
    onChange: fn => void observers.push(fn),
    compact() {
      floor = revision;
      history.length = 0;
    },
  };
}

const strip = (o: Unstructured) => ({ ...o, metadata: { ...o.metadata, resourceVersion: '', managedFields: [] } });
const json = (status: number, value: unknown): ApiResponse => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: encoder.encode(JSON.stringify(value)),
});

/** /api/v1/namespaces/{ns}/pods/{name}/{sub} and its siblings. */
function parse(path: string): Target {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  const core = parts[0] === 'api';
  const group = core ? '' : (parts[1] ?? '');
  const version = (core ? parts[1] : parts[2]) ?? '';
  let rest = parts.slice(core ? 2 : 3);
  let namespace = '';
  if (rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize') {
    namespace = rest[1] ?? '';
    rest = rest.slice(2);
  }
  const [plural = '', name = '', subresource = ''] = rest;
  return { resource: `${group ? `${group}/` : ''}${version}/${plural}`, plural, group, namespace, name, subresource };
}

function selection(t: Target, query: URLSearchParams): (o: KubeObject) => boolean {
  const labels = (query.get('labelSelector') ?? '').split(',').filter(Boolean);
  const fields = (query.get('fieldSelector') ?? '').split(',').filter(Boolean);
  const field = (o: KubeObject, path: string) =>
    String(path.split('.').reduce<unknown>((v, k) => (v as Record<string, unknown> | undefined)?.[k], o) ?? '');
  const one = (read: (key: string) => string | undefined) => (term: string) => {
    const [key = '', value = ''] = term.includes('!=') ? term.split('!=') : term.split(/==?/);
    return term.includes('!=')
      ? read(key) !== value
      : term.includes('=')
        ? read(key) === value
        : read(key) !== undefined;
  };
  return o =>
    (!t.namespace || o.metadata.namespace === t.namespace) &&
    labels.every(one(key => o.metadata.labels?.[key])) &&
    fields.every(one(path => field(o, path)));
}

/** RFC 7386, and for strategic patches of lists with uid or type or name keys: merge by that key. */
function mergePatch(target: unknown, patch: unknown, type: string): unknown {
  if (Array.isArray(patch)) {
    const key = ['uid', 'type', 'name'].find(k => patch.every(p => typeof p === 'object' && p && k in p));
    if (!type.includes('strategic') && !type.includes('apply')) return patch;
    if (!key) {
      const all = [...(Array.isArray(target) ? target : []), ...patch];
      return all.every(v => typeof v === 'string') ? [...new Set(all)] : patch;
    }
    const out = [...((target as Record<string, unknown>[] | undefined) ?? [])];
    for (const item of patch as Record<string, unknown>[]) {
      const at = out.findIndex(o => o[key] === item[key]);
      if (item['$patch'] === 'delete') at >= 0 && out.splice(at, 1);
      else if (at >= 0) out[at] = mergePatch(out[at], item, type) as Record<string, unknown>;
      else out.push(item);
    }
    return out;
  }
  if (typeof patch !== 'object' || patch === null) return patch;
  const out = { ...(typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}) } as Record<
    string,
    unknown
  >;
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$deleteFromPrimitiveList/')) {
      const field = key.slice('$deleteFromPrimitiveList/'.length);
      const gone = new Set(value as unknown[]);
      out[field] = ((out[field] as unknown[] | undefined) ?? []).filter(v => !gone.has(v));
    } else if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value, type);
  }
  return out;
}

function jsonPatch(target: Unstructured, ops: unknown): Unstructured {
  for (const op of ops as { op: string; path: string; value?: unknown }[]) {
    const keys = op.path
      .split('/')
      .slice(1)
      .map(k => k.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<Record<string, unknown>>((o, k) => o[k] as Record<string, unknown>, target);
    if (op.op === 'test' && JSON.stringify(parent[last]) !== JSON.stringify(op.value))
      throw errors.badRequest('test failed');
    if (op.op === 'remove') Array.isArray(parent) ? parent.splice(Number(last), 1) : delete parent[last];
    if (op.op === 'add' || op.op === 'replace') parent[last] = op.value;
  }
  return target;
}
