/**
 * Valid objects with one to three random changes, made from the original's own description of its types, so that they say nothing that the
 * original does not know. They are made when answers are recorded, and kept with them: what is compared is what was accepted and how it
 * was defaulted, or which fields were refused for which reason.
 */
import fc from 'fast-check';
import type { Answer, Exchange, Json, Scenario } from './exchange.ts';
import { collection, objectOf, type Sample, samples, withValue } from './samples.ts';

interface Definition {
  readonly type?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly properties?: Record<string, Definition>;
  readonly items?: Definition;
  readonly additionalProperties?: Definition;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}
export interface Description {
  readonly definitions: Record<string, Definition>;
}

export interface Case {
  readonly target: string;
  readonly body: object;
}

const texts = [
  '',
  'a',
  'web',
  'Not A Name',
  'x'.repeat(64),
  'a.example.com/b',
  '/var',
  '10.0.0.1',
  '::1',
  'Always',
  '5Gi',
  '-1',
  '80%',
  'TCP',
  'é',
];
const numbers = [0, 1, -1, 80, 65_536, 2_147_483_647];
/** What takes part in none of the comparisons: it is the server's. */
const untouched = new Set(['apiVersion', 'kind', 'metadata', 'status']);

const resolved = ({ definitions }: Description, definition: Definition): Definition =>
  definition.$ref ? (definitions[definition.$ref.replace('#/definitions/', '')] ?? {}) : definition;

function anyOf(description: Description, definition: Definition, depth: number): fc.Arbitrary<unknown> {
  const { type, format, properties, items, additionalProperties } = resolved(description, definition);
  const inner = (of: Definition) => anyOf(description, of, depth + 1);
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer' || type === 'number') return fc.constantFrom(...numbers);
  if (type === 'string' && format === 'int-or-string')
    return fc.oneof(fc.constantFrom(...numbers), fc.constantFrom('25%', '200%', 'web', ''));
  if (type === 'string' && format === 'byte') return fc.constantFrom('', 'aGk=');
  if (type === 'string' && format === 'date-time') return fc.constantFrom('2021-01-01T00:00:00Z');
  if (type === 'string') return fc.constantFrom(...texts);
  if (items) return depth > 4 ? fc.constant([]) : fc.array(inner(items), { maxLength: 2 });
  if (additionalProperties)
    return depth > 4
      ? fc.constant({})
      : fc.dictionary(fc.constantFrom('a', 'cpu', 'pods', 'bad key!'), inner(additionalProperties), { maxKeys: 2 });
  if (!properties || depth > 4) return fc.constant({});
  const optional = Object.entries(properties).map(([name, of]) =>
    fc.option(
      inner(of).map(value => [name, value] as const),
      { freq: 1 },
    ),
  );
  return fc.tuple(...optional).map(entries => Object.fromEntries(entries.filter(entry => entry !== null).slice(0, 6)));
}

/** Every place in a type, as far as values are worth changing, by path. */
function placesIn(
  description: Description,
  definition: Definition,
  sample: Json,
  path: string,
  depth: number,
): (readonly [string, Definition])[] {
  const { properties, items } = resolved(description, definition);
  if (items && Array.isArray(sample) && sample.length > 0)
    return placesIn(description, items, sample[0], `${path}0/`, depth);
  if (!properties || depth > 6) return [];
  return Object.entries(properties).flatMap(([name, of]) => {
    if (depth === 0 && untouched.has(name)) return [];
    return [
      [`${path}${name}`, of] as const,
      ...placesIn(description, of, sample?.[name], `${path}${name}/`, depth + 1),
    ];
  });
}

function casesOf(description: Description, sample: Sample): fc.Arbitrary<Case> {
  const [group, version] = sample.apiVersion.includes('/') ? sample.apiVersion.split('/') : ['', sample.apiVersion];
  const definition = Object.values(description.definitions).find(
    ({ 'x-kubernetes-group-version-kind': kinds, properties }) =>
      properties?.['metadata'] &&
      kinds?.some(kind => kind.group === group && kind.version === version && kind.kind === sample.kind),
  );
  const whole = objectOf(sample);
  const places = placesIn(description, definition ?? {}, whole, '', 0);
  const change = fc
    .constantFrom(...places)
    .chain(([path, of]) =>
      fc
        .oneof({ arbitrary: anyOf(description, of, 1), weight: 6 }, { arbitrary: fc.constant(undefined), weight: 1 })
        .map(value => ({ path, value })),
    );
  const target = `${collection(sample, 'ns')}?dryRun=All`;
  return fc.array(change, { minLength: 1, maxLength: 2 }).map(changes => ({
    target,
    body: changes.reduce((obj, { path, value }) => withValue(obj, path, value), whole),
  }));
}

/** The same cases for the same seed and description. */
export function generate(description: Description, seed: number, perKind: number): Case[] {
  return samples
    .filter(({ kind }) => !['CustomResourceDefinition', 'APIService', 'ControllerRevision'].includes(kind))
    .flatMap(sample => fc.sample(casesOf(description, sample), { seed, numRuns: perKind }));
}

export const generated = (cases: readonly Case[]): Scenario => ({
  name: 'generated objects',
  async run({ ns, ask }) {
    for (const { target, body } of cases)
      await ask('POST', target.replace('/namespaces/ns/', `/namespaces/${ns}/`), { body });
  },
});

interface Cause {
  readonly field?: string;
  readonly reason?: string;
}

/** What of an answer is compared: what became of the object, or what is wrong with it. */
function essence({ status, body }: Answer): Json {
  if (status < 300) return { status, body };
  const causes: readonly Cause[] = body?.details?.causes ?? [];
  return { status, wrong: [...new Set(causes.map(({ field, reason }) => `${field}: ${reason}`))].sort() };
}

export const essential = (exchange: Exchange): Exchange => ({
  ...exchange,
  answer: { ...essence(exchange.answer), type: '' },
});
