/** The built-in types: facts from catalog.json, turned into schemas when they are first used. */
import type {
  Field,
  GroupVersionKind,
  GroupVersionResource,
  ObjectSchema,
  ResourceInfo,
  ScalarSchema,
  ScalarType,
  Schema,
  SubresourceInfo,
} from '../schema.ts';
import type { JsonValue } from '../types/scalars.ts';
import catalog from './catalog.json' with { type: 'json' };

interface Extras {
  r?: 1;
  p?: 1;
  l?: 'atomic' | 'set' | 'map';
  k?: string[];
  m?: 'granular' | 'atomic';
  pk?: string;
  ps?: string;
  e?: string[];
  d?: JsonValue;
}
type FieldFacts = [type: string, number: number | number[], extras?: Extras];
interface TypeFacts {
  d: string;
  m?: 1;
  u?: JsonValue[];
  f: Record<string, FieldFacts>;
}
interface ResourceRow {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  namespaced: boolean;
  type: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  subresources: Record<string, SubresourceInfo>;
}
const types = catalog.types as unknown as Record<string, TypeFacts>;
const rows = catalog.resources as unknown as ResourceRow[];

const scalarTypes = new Set<string>([
  'string',
  'int32',
  'int64',
  'double',
  'bool',
  'bytes',
  'quantity',
  'intOrString',
  'time',
  'microTime',
  'json',
  'raw',
  'fieldsV1',
] satisfies ScalarType[]);
const unions: Record<string, 'array' | 'bool' | 'strings'> = {
  schemaOrArray: 'array',
  schemaOrBool: 'bool',
  schemaOrStrings: 'strings',
};
const scalars = new Map<string, ScalarSchema>();

function scalarOf(type: string): ScalarSchema | undefined {
  const known = scalars.get(type);
  if (known) return known;
  const or = unions[type];
  let made: ScalarSchema | undefined;
  if (scalarTypes.has(type)) made = { kind: 'scalar', type: type as ScalarType };
  else if (or)
    made = { kind: 'scalar', type: 'json', union: { or, schema: schemaOf('apiextensions.v1.JSONSchemaProps') } };
  if (made) scalars.set(type, made);
  return made;
}

function parseType(type: string, extras: Extras = {}): Schema {
  if (type.startsWith('[]')) {
    return {
      kind: 'list',
      items: parseType(type.slice(2)),
      ...(extras.l && { listType: extras.l }),
      ...(extras.k && { mapKeys: extras.k }),
      ...(extras.pk && { patchMergeKey: extras.pk }),
      ...(extras.ps && { patchStrategy: extras.ps.split(',') }),
    };
  }
  if (type.startsWith('map['))
    return { kind: 'map', values: parseType(type.slice(4, -1)), ...(extras.m && { mapType: extras.m }) };
  const scalar = scalarOf(type);
  if (scalar) return scalar;
  const schema = schemaOf(type);
  if (!extras.m && !extras.ps) return schema;
  return new CatalogObject(type, extras);
}

class CatalogField implements Field {
  readonly name: string;
  readonly protobuf: number;
  readonly omitZero: boolean;
  readonly protobufPath?: readonly number[];
  readonly enum?: readonly string[];
  readonly default?: JsonValue;
  #facts: FieldFacts;
  #schema: Schema | undefined;
  constructor(name: string, facts: FieldFacts) {
    this.name = name;
    this.#facts = facts;
    const number = facts[1];
    this.protobuf = typeof number === 'number' ? number : (number.at(-1) ?? 0);
    if (typeof number !== 'number') this.protobufPath = number.slice(0, -1);
    const [type, , extras] = facts;
    if (extras?.e) this.enum = extras.e;
    if (extras?.d !== undefined) this.default = extras.d;
    // Protobuf cannot tell an empty list from none; only where one must be there is an empty one kept.
    const optionalList = /^(\[\]|map\[)/.test(type) && !extras?.r;
    this.omitZero = dropsZero.test(type) && (extras?.p !== 1 || optionalList);
  }
  get schema(): Schema {
    this.#schema ??= parseType(this.#facts[0], this.#facts[2]);
    return this.#schema;
  }
}
const dropsZero = /^(intOrString|string|int32|int64|double|bool|bytes|\[\].*|map\[.*)$/;

class CatalogObject implements ObjectSchema {
  readonly kind = 'object';
  readonly name: string;
  readonly mapType?: 'granular' | 'atomic';
  readonly patchStrategy?: readonly string[];
  readonly unions?: readonly JsonValue[];
  #facts: TypeFacts;
  #fields: ReadonlyMap<string, Field> | undefined;
  #required: readonly string[] | undefined;
  constructor(type: string, extras: Extras = {}) {
    const facts = types[type];
    if (!facts) throw new Error(`no type ${type} in the catalog`);
    this.#facts = facts;
    this.name = facts.d;
    const mapType = extras.m ?? (facts.m ? 'atomic' : undefined);
    if (mapType) this.mapType = mapType;
    if (extras.ps) this.patchStrategy = extras.ps.split(',');
    if (facts.u) this.unions = facts.u;
  }
  get fields(): ReadonlyMap<string, Field> {
    this.#fields ??= new Map(Object.entries(this.#facts.f).map(([name, f]) => [name, new CatalogField(name, f)]));
    return this.#fields;
  }
  get required(): readonly string[] {
    this.#required ??= Object.entries(this.#facts.f).flatMap(([name, f]) => (f[2]?.r ? [name] : []));
    return this.#required;
  }
}

const schemas = new Map<string, ObjectSchema>();

/** The schema of a catalog type such as "core.v1.PodSpec". Throws for an unknown name. */
export function schemaOf(type: string): ObjectSchema {
  let schema = schemas.get(type);
  if (!schema) {
    schema = new CatalogObject(type);
    schemas.set(type, schema);
  }
  return schema;
}

/** Names of all catalog types, such as "core.v1.PodSpec". */
export function typeNames(): readonly string[] {
  return Object.keys(types);
}

let resources: readonly ResourceInfo[] | undefined;

/** Every resource that v1.35 serves by default, in a stable order. */
export function builtinResources(): readonly ResourceInfo[] {
  resources ??= rows.map(({ type, ...row }) => {
    return {
      ...row,
      get schema() {
        return schemaOf(type);
      },
    };
  });
  return resources;
}

const byGvr = new Map<string, ResourceInfo>();
const byGvk = new Map<string, ResourceInfo>();
function index(): void {
  if (byGvr.size > 0) return;
  for (const info of builtinResources()) {
    byGvr.set(`${info.group}/${info.version}/${info.plural}`, info);
    byGvk.set(`${info.group}/${info.version}/${info.kind}`, info);
  }
}

export function resourceOf({ group, version, resource }: GroupVersionResource): ResourceInfo | undefined {
  index();
  return byGvr.get(`${group}/${version}/${resource}`);
}
export function resourceOfKind({ group, version, kind }: GroupVersionKind): ResourceInfo | undefined {
  index();
  return byGvk.get(`${group}/${version}/${kind}`);
}

/** Folder names of Go packages, by API group. */
const packages: Record<string, string> = {
  '': 'core',
  'meta.k8s.io': 'meta',
  'admission.k8s.io': 'admission',
  'apidiscovery.k8s.io': 'apidiscovery',
};
/** Kinds of meta/v1 that every group version knows. */
const everywhere = new Set([
  'CreateOptions',
  'DeleteOptions',
  'GetOptions',
  'ListOptions',
  'PatchOptions',
  'UpdateOptions',
  'WatchEvent',
]);
const metaKinds = new Set([
  ...everywhere,
  'APIGroup',
  'APIGroupList',
  'APIResourceList',
  'APIVersions',
  'PartialObjectMetadata',
  'PartialObjectMetadataList',
  'Status',
  'Table',
]);

function packageOf(group: string): string {
  index();
  const known = packages[group];
  if (known) return known;
  const row = rows.find(r => r.group === group);
  const name = row?.type.split('.')[0] ?? group;
  packages[group] = name;
  return name;
}

const lists = new Map<string, ObjectSchema>();

/** The schema of the list of a kind: "PodList" has ListMeta and items. */
export function listSchemaOf(item: ObjectSchema): ObjectSchema {
  const key = item.name ?? '';
  const known = key ? lists.get(key) : undefined;
  if (known) return known;
  const field = (name: string, schema: Schema, protobuf: number): [string, Field] => [name, { name, schema, protobuf }];
  const made: ObjectSchema = {
    kind: 'object',
    ...(key && { name: `${key}List` }),
    required: ['items'],
    fields: new Map([
      field('kind', { kind: 'scalar', type: 'string' }, 0),
      field('apiVersion', { kind: 'scalar', type: 'string' }, 0),
      ['metadata', { name: 'metadata', schema: schemaOf('meta.v1.ListMeta'), protobuf: 1, default: {} }],
      field('items', { kind: 'list', items: item }, 2),
    ]),
  };
  if (key) lists.set(key, made);
  return made;
}

/**
 * The schema of any built-in kind: served ones, those of subresources (Scale, Eviction, PodExecOptions, …), lists and the
 * kinds of meta/v1. Undefined when v1.35 has no such kind in that group version.
 */
export function schemaOfKind(gvk: GroupVersionKind): ObjectSchema | undefined {
  const resource = resourceOfKind(gvk);
  if (resource) return resource.schema;
  const { group, version, kind } = gvk;
  if (everywhere.has(kind) || (metaKinds.has(kind) && version === 'v1' && (group === '' || group === 'meta.k8s.io')))
    return schemaOf(`meta.v1.${kind}`);
  const type = `${packageOf(group)}.${version}.${kind}`;
  if (types[type]?.f['apiVersion']) return schemaOf(type);
  const item = kind.endsWith('List') ? resourceOfKind({ group, version, kind: kind.slice(0, -4) }) : undefined;
  return item && listSchemaOf(item.schema);
}

/** The kind that a resource, or one of its subresources, is written and read as. */
export function kindOfResource(gvr: GroupVersionResource, subresource = ''): GroupVersionKind | undefined {
  const info = resourceOf(gvr);
  if (!info) return undefined;
  if (!subresource) return { group: info.group, version: info.version, kind: info.kind };
  const sub = info.subresources[subresource];
  return sub && { group: sub.group, version: sub.version, kind: sub.kind };
}
