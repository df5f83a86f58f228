/** Well-typed and half-broken bodies and patches for every kind, put to the whole server: whatever it says, nothing throws inside. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { builtinResources, resourceOf } from '../../src/api/catalog/index.ts';
import { arbitraryObject } from '../support/arbitrary.ts';
import { collectionOf, sampleBody, startWholeServer, type WholeServer } from '../support/whole-server.ts';

type Json = Record<string, unknown>;

let server: WholeServer;
const kinds = builtinResources().filter(info => info.verbs.includes('create'));
const patchable = kinds.filter(
  ({ verbs, plural }) => verbs.includes('patch') && plural !== 'customresourcedefinitions',
);
const limits = { numRuns: 1500, interruptAfterTimeLimit: 6000, markInterruptAsFailure: false };

before(async () => {
  server = await startWholeServer();
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await server.ask('POST', '/api/v1/namespaces/default/serviceaccounts', account);
  for (const info of patchable) await server.ask('POST', collectionOf(info), sampleBody(info));
  server.takeErrors();
});
after(() => server.close());

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, {}, [], '', 0, -1, 'x', [null], [{}], { '': '' }, '10.0.0.1', '1Gi', 2 ** 31),
  fc.jsonValue({ maxDepth: 2 }),
);
type Edit = readonly [where: number, how: 'drop' | 'replace' | 'empty', by: unknown];
const edits = fc.array(fc.tuple(fc.nat(), fc.constantFrom('drop', 'replace', 'empty'), odd), {
  maxLength: 4,
}) as fc.Arbitrary<Edit[]>;

/** Drops, empties or replaces some members, anywhere below the top. */
function damaged(object: object, changes: readonly Edit[]): Json {
  const copy = structuredClone(object) as Json;
  for (const [where, how, by] of changes) {
    const places = membersOf(copy);
    const [holder, key] = places[where % Math.max(places.length, 1)] ?? [{}, ''];
    if (how === 'drop') delete holder[key];
    else holder[key] = how === 'empty' ? emptied(holder[key]) : structuredClone(by);
  }
  return copy;
}
const emptied = (value: unknown) => (Array.isArray(value) ? [{}] : typeof value === 'object' ? {} : '');

function membersOf(value: unknown, out: [Json, string][] = []): [Json, string][] {
  if (typeof value !== 'object' || value === null) return out;
  for (const [key, member] of Object.entries(value)) {
    if (key !== 'apiVersion' && key !== 'kind' && key !== '__proto__') out.push([value as Json, key]);
    membersOf(member, out);
  }
  return out;
}

/** What is generated is seldom valid; a name and a namespace that fit lead it further in. */
function placed(object: object, name: string, namespaced: boolean): Json {
  const { metadata } = object as { metadata?: object };
  const { namespace: _, ...rest } = { ...metadata } as Json;
  return { ...object, metadata: { ...rest, name, ...(namespaced && { namespace: 'default' }) } };
}

async function survives(
  method: string,
  target: string,
  body: unknown,
  headers?: Record<string, string>,
): Promise<void> {
  const { status, body: said, text } = await server.ask(method, target, body, headers);
  assert.deepEqual(server.takeErrors(), [], `${method} ${target} ${JSON.stringify(body)}`);
  if (status >= 400) assert.equal(said?.['kind'], 'Status', text);
}

const anyOf = (list: typeof kinds) => fc.constantFrom(...list);

test('creating anything', async () => {
  const bodies = anyOf(kinds).chain(info =>
    fc.record({
      info: fc.constant(info),
      object: fc.oneof(arbitraryObject(info), fc.constant(sampleBody(info))),
      changes: edits,
    }),
  );
  await fc.assert(
    fc.asyncProperty(bodies, fc.boolean(), async ({ info, object, changes }, placing) => {
      const body = damaged(object, changes);
      const sent = placing ? placed(body, 'fuzzed', info.namespaced) : body;
      await survives('POST', `${collectionOf(info)}?dryRun=All`, sent);
    }),
    limits,
  );
});

test('updating and patching with anything', async () => {
  const types = ['merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'] as const;
  const writes = anyOf(patchable).chain(info =>
    fc.record({
      info: fc.constant(info),
      object: fc.oneof(arbitraryObject(info), fc.constant(sampleBody(info))),
      changes: edits,
      type: fc.constantFrom(undefined, ...types),
      subresource: fc.constantFrom('', ...('status' in info.subresources ? ['/status'] : [])),
    }),
  );
  await fc.assert(
    fc.asyncProperty(writes, async ({ info, object, changes, type, subresource }) => {
      const { name } = sampleBody(info).metadata;
      const body = placed(damaged(object, changes), name, info.namespaced);
      const target = `${collectionOf(info)}/${name}${subresource}?dryRun=All&fieldManager=fuzz&force=true`;
      if (type === undefined) await survives('PUT', target, body);
      else
        await survives('PATCH', type === 'apply-patch+yaml' ? target : target.replace('&force=true', ''), body, {
          'content-type': `application/${type}`,
        });
    }),
    limits,
  );
});

test('JSON patches with any pointer', async () => {
  const pods = resourceOf({ group: '', version: 'v1', resource: 'pods' });
  assert.ok(pods);
  const { name } = sampleBody(pods).metadata;
  const segment = fc.oneof(
    fc.constantFrom(
      'metadata',
      'spec',
      'containers',
      '0',
      '-',
      'labels',
      'name',
      'managedFields',
      'finalizers',
      '__proto__',
    ),
    fc.constantFrom('~0', '~1', '~2', '~', '', '-1', '00', '99999999999999999999', '1e0', '2147483648'),
  );
  const pointer = fc.array(segment, { maxLength: 5 }).map(list => list.map(s => `/${s}`).join(''));
  const operation = fc.record(
    {
      op: fc.constantFrom<unknown>('add', 'remove', 'replace', 'move', 'copy', 'test', 'jump', 5, null),
      path: fc.oneof(pointer, odd),
      from: fc.oneof(pointer, odd),
      value: odd,
    },
    { requiredKeys: ['op'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.array(fc.oneof(operation, odd), { maxLength: 5 }), odd), async patch => {
      const headers = { 'content-type': 'application/json-patch+json' };
      await survives('PATCH', `${collectionOf(pods)}/${name}?dryRun=All`, patch, headers);
    }),
    limits,
  );
});

test('lists with any query', async () => {
  const names = fc.constantFrom(
    ...['limit', 'continue', 'resourceVersion', 'resourceVersionMatch', 'labelSelector', 'fieldSelector'],
    ...['timeoutSeconds', 'pretty', 'sendInitialEvents', 'allowWatchBookmarks', 'timeout', 'dryRun', 'fieldManager'],
  );
  const selectorish = fc
    .array(
      fc.constantFrom('a', 'metadata.name', '=', '==', '!=', '!', ' in ', '(', ')', ',', '\\', '<', '>', '1', ' ', 'é'),
    )
    .map(parts => parts.join(''));
  const token = fc.record({ v: fc.constantFrom('meta.k8s.io/v1', 'x'), rv: odd, start: fc.oneof(fc.string(), odd) });
  const values = fc.oneof(
    selectorish,
    fc.string(),
    fc.constantFrom('0', '1', '-1', '9223372036854775807', 'Exact', 'NotOlderThan', 'true', 'false'),
    token.map(t => Buffer.from(JSON.stringify(t)).toString('base64url')),
  );
  const queries = fc.array(fc.tuple(names, values), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(anyOf(patchable), queries, async (info, query) => {
      const search = new URLSearchParams(query);
      // A revision that is yet to come is waited for.
      if (/^\d{4,}/.test(search.get('resourceVersion') ?? '') || /\d{4}/.test(atobOrNothing(search.get('continue'))))
        return;
      await survives('GET', `${collectionOf(info)}?${search}`, undefined);
    }),
    limits,
  );
});

function atobOrNothing(text: string | null): string {
  return text === null ? '' : Buffer.from(text, 'base64url').toString('latin1');
}
