/**
 * Derives the catalog (src/api/catalog/catalog.json) and the TypeScript types (src/api/types/*.ts) from the published
 * interface data: the OpenAPI document of Kubernetes v1.35 and the tags of its Go types.
 *
 *   npm run catalog -- FOLDER      FOLDER holds kubernetes-1.35-openapi-v2.json
 *
 * What OpenAPI does not say comes from catalog-tags.json (made by catalog-tags.ts) and catalog-extra.ts.
 *
 * Only facts are kept (names, types, required, list types, merge keys, numbers), nobody's prose.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { extraTypes } from './catalog-extra.ts';
import { resourceNames } from './catalog-names.ts';

interface Property {
  type?: string;
  format?: string;
  $ref?: string;
  items?: Property;
  additionalProperties?: Property;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-patch-merge-key'?: string;
  'x-kubernetes-patch-strategy'?: string;
}
interface Definition extends Property {
  'x-kubernetes-unions'?: unknown[];
  properties?: Record<string, Property>;
  required?: string[];
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
}
interface Operation {
  'x-kubernetes-action'?: string;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string };
}
interface OpenApi {
  definitions: Record<string, Definition>;
  paths: Record<string, Record<string, Operation>>;
}
interface Markers {
  enum?: string[];
  default?: unknown;
}
type TagRow = [name: string, number: number, flagsOrType: string, markers?: Markers];

const folder = process.argv[2];
if (!folder) throw new Error('usage: npm run catalog -- FOLDER');
const openapi = JSON.parse(readFileSync(join(folder, 'kubernetes-1.35-openapi-v2.json'), 'utf8')) as OpenApi;
const tags = JSON.parse(readFileSync('scripts/catalog-tags.json', 'utf8')) as Record<string, TagRow[]>;

const servedVersions = new Set([
  '/v1',
  'admissionregistration.k8s.io/v1',
  'apiextensions.k8s.io/v1',
  'apiregistration.k8s.io/v1',
  'apps/v1',
  'authentication.k8s.io/v1',
  'authorization.k8s.io/v1',
  'autoscaling/v1',
  'autoscaling/v2',
  'batch/v1',
  'certificates.k8s.io/v1',
  'coordination.k8s.io/v1',
  'discovery.k8s.io/v1',
  'events.k8s.io/v1',
  'flowcontrol.apiserver.k8s.io/v1',
  'networking.k8s.io/v1',
  'node.k8s.io/v1',
  'policy/v1',
  'rbac.authorization.k8s.io/v1',
  'resource.k8s.io/v1',
  'scheduling.k8s.io/v1',
  'storage.k8s.io/v1',
]);

/** "io.k8s.api.core.v1.Pod" becomes "core.v1.Pod". */
function shortName(definition: string): string {
  return definition.split('.').slice(-3).join('.');
}

const specialTypes: Record<string, string> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'fieldsV1',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'raw',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'json',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'schemaOrArray',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'schemaOrBool',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'schemaOrStrings',
};

const wanted = new Set<string>();
function typeOf(property: Property): string {
  if (property.$ref) {
    const definition = property.$ref.replace('#/definitions/', '');
    const special = specialTypes[definition];
    if (special) return special;
    wanted.add(definition);
    return shortName(definition);
  }
  if (property.type === 'array') return `[]${typeOf(property.items ?? {})}`;
  if (property.type === 'object')
    return property.additionalProperties ? `map[${typeOf(property.additionalProperties)}]` : 'json';
  if (property.type === 'integer') return property.format ?? 'int64';
  if (property.type === 'number') return 'double';
  if (property.type === 'boolean') return 'bool';
  if (property.type === 'string') return property.format === 'byte' ? 'bytes' : 'string';
  return 'json';
}

/** One field as Go declares it: the number is a path where structs are inlined. */
interface GoField {
  name: string;
  number: number | number[];
  flags: string;
  markers: Markers;
}
function goFields(type: string, path: number[] = []): GoField[] {
  const rows = tags[type] ?? tags[type.replace('.v1.', '.v1beta1.')] ?? [];
  return rows.flatMap(([name, number, rest, markers = {}]) => {
    if (name === '') return goFields(rest, [...path, number]);
    return [{ name, number: path.length > 0 && number > 0 ? [...path, number] : number, flags: rest, markers }];
  });
}

/** A zero value of these is left out by Go's encoder when the field is "omitempty" and no pointer. */
const hasZero = /^(intOrString|string|int32|int64|double|bool|bytes|\[\].*|map\[.*)$/;

const zeros: Record<string, unknown> = { string: '', int32: 0, int64: 0, double: 0, bool: false };

/** The default in OpenAPI: a marker's, or Go's zero value where absence reads as that (mustEnforceDefault of kube-openapi). */
function defaultOf({ flags, markers }: GoField, type: string): unknown {
  if (markers.default !== undefined) return markers.default;
  if (flags.includes('p')) return undefined;
  if (type in zeros) return flags.includes('o') ? undefined : zeros[type];
  return /^\w+\.\w+\.\w+$/.test(type) ? {} : undefined;
}

/** A field's facts: [type, protobuf number or path, extras]; see src/api/catalog/index.ts for the reader. */
function fieldFacts(go: GoField, type: string, property: Property, required: boolean): unknown[] {
  const extras: Record<string, unknown> = {};
  if (required) extras['r'] = 1;
  if (property['x-kubernetes-list-type']) extras['l'] = property['x-kubernetes-list-type'];
  if (property['x-kubernetes-list-map-keys']) extras['k'] = property['x-kubernetes-list-map-keys'];
  if (property['x-kubernetes-map-type']) extras['m'] = property['x-kubernetes-map-type'];
  if (property['x-kubernetes-patch-merge-key']) extras['pk'] = property['x-kubernetes-patch-merge-key'];
  if (property['x-kubernetes-patch-strategy']) extras['ps'] = property['x-kubernetes-patch-strategy'];
  if (hasZero.test(type) && (go.flags === '' || go.flags.includes('p'))) extras['p'] = 1;
  if (go.markers.enum) extras['e'] = go.markers.enum;
  const preset = defaultOf(go, type);
  if (preset !== undefined) extras['d'] = preset;
  const facts: unknown[] = [type, go.number];
  if (Object.keys(extras).length > 0) facts.push(extras);
  return facts;
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
  subresources: Record<string, { kind: string; verbs: string[]; group: string; version: string }>;
}

function collectResources(): ResourceRow[] {
  const rows = new Map<string, ResourceRow>();
  const verbOf: Record<string, string> = {
    post: 'create',
    put: 'update',
    patch: 'patch',
    delete: 'delete',
    deletecollection: 'deletecollection',
    get: 'get',
    list: 'list',
    connect: 'connect',
  };
  for (const [path, item] of Object.entries(openapi.paths)) {
    const match =
      /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))\/(watch\/)?(namespaces\/\{namespace\}\/)?([a-z]+)(\/\{name\}(?:\/([a-z]+))?)?(\/\{path\})?$/.exec(
        path,
      );
    if (!match || match[4] || match[9]) continue;
    const group = match[2] ?? '';
    const version = match[1] ?? match[3] ?? '';
    if (!servedVersions.has(`${group}/${version}`)) continue;
    const [, , , , , namespaced, plural = '', , sub] = match;
    for (const [method, operation] of Object.entries(item)) {
      const gvk = operation['x-kubernetes-group-version-kind'];
      if (!gvk || method === 'parameters') continue;
      const verb = verbOf[operation['x-kubernetes-action'] ?? ''] ?? 'get';
      const key = `${group}/${version}/${plural}`;
      let row = rows.get(key);
      if (!row) {
        row = {
          group,
          version,
          kind: '',
          plural,
          singular: '',
          namespaced: false,
          type: '',
          verbs: [],
          subresources: {},
        };
        rows.set(key, row);
      }
      if (namespaced) row.namespaced = true;
      if (sub) {
        const entry = (row.subresources[sub] ??= { kind: gvk.kind, group: gvk.group, version: gvk.version, verbs: [] });
        if (verb === 'connect') {
          const connectVerb: Record<string, string> = {
            get: 'get',
            post: 'create',
            put: 'update',
            patch: 'patch',
            delete: 'delete',
          };
          const v = connectVerb[method];
          if (v && !entry.verbs.includes(v)) entry.verbs.push(v);
        } else if (!entry.verbs.includes(verb)) entry.verbs.push(verb);
      } else {
        row.kind = gvk.kind;
        row.singular = gvk.kind.toLowerCase();
        if (!row.verbs.includes(verb)) row.verbs.push(verb);
      }
    }
  }
  for (const row of rows.values()) {
    const definition = Object.entries(openapi.definitions).find(([, d]) =>
      d['x-kubernetes-group-version-kind']?.some(
        g => g.group === row.group && g.version === row.version && g.kind === row.kind,
      ),
    );
    if (!definition) throw new Error(`no definition for ${row.group}/${row.version} ${row.kind}`);
    wanted.add(definition[0]);
    row.type = shortName(definition[0]);
    const root = row.group ? `/apis/${row.group}` : '/api';
    const space = row.namespaced ? '/namespaces/{namespace}' : '';
    if (openapi.paths[`${root}/${row.version}/watch${space}/${row.plural}`]) row.verbs.push('watch');
    row.verbs.sort();
    for (const sub of Object.values(row.subresources)) {
      sub.verbs.sort();
      const found = Object.entries(openapi.definitions).find(([, d]) =>
        d['x-kubernetes-group-version-kind']?.some(
          g => g.group === sub.group && g.version === sub.version && g.kind === sub.kind,
        ),
      );
      if (found) wanted.add(found[0]);
    }
    Object.assign(row, resourceNames[`${row.group}/${row.plural}`] ?? {});
  }
  return [...rows.values()].sort(
    (a, b) => a.group.localeCompare(b.group) || a.version.localeCompare(b.version) || a.plural.localeCompare(b.plural),
  );
}

const resources = collectResources();
for (const extra of [
  'Status',
  'ListMeta',
  'DeleteOptions',
  'APIResourceList',
  'APIGroupList',
  'APIGroup',
  'APIVersions',
  'WatchEvent',
  'LabelSelector',
  'Condition',
])
  wanted.add(`io.k8s.apimachinery.pkg.apis.meta.v1.${extra}`);
wanted.add('io.k8s.api.core.v1.PodTemplateSpec');

interface TypeFacts {
  /** Full definition name. */
  d: string;
  /** The whole object is one value for server-side apply (x-kubernetes-map-type: atomic). */
  m?: 1;
  /** x-kubernetes-unions */
  u?: unknown[];
  f: Record<string, unknown[]>;
}
const types: Record<string, TypeFacts> = {};
// A set grows while it is walked: what a field refers to is wanted too. Fields that v1.35's Go types lack are dropped.
for (const name of wanted) {
  const definition = openapi.definitions[name];
  if (!definition) throw new Error(`no definition ${name}`);
  const fields: Record<string, unknown[]> = {};
  for (const go of goFields(shortName(name))) {
    const property = definition.properties?.[go.name];
    if (!property) continue;
    fields[go.name] = fieldFacts(go, typeOf(property), property, definition.required?.includes(go.name) ?? false);
  }
  const unions = definition['x-kubernetes-unions'];
  types[shortName(name)] = {
    d: name,
    f: fields,
    ...(definition['x-kubernetes-map-type'] && { m: 1 as const }),
    ...(unions && { u: unions }),
  };
}
for (const [name, extra] of Object.entries(extraTypes)) {
  const fields: Record<string, unknown[]> = {};
  for (const go of goFields(shortName(name))) {
    const type = extra[go.name];
    if (type) fields[go.name] = fieldFacts(go, type, {}, false);
  }
  types[shortName(name)] = { d: name, f: fields };
}
const sorted = Object.fromEntries(Object.entries(types).sort(([a], [b]) => a.localeCompare(b)));
mkdirSync('src/api/catalog', { recursive: true });
const typeLines = Object.entries(sorted).map(([name, facts]) => `${JSON.stringify(name)}:${JSON.stringify(facts)}`);
writeFileSync(
  'src/api/catalog/catalog.json',
  `{"types":{\n${typeLines.join(',\n')}\n},\n"resources":[\n${resources.map(r => JSON.stringify(r)).join(',\n')}\n]}\n`,
);

// ---- TypeScript types -------------------------------------------------------------------------------------------------

const scalars: Record<string, string> = {
  string: 'string',
  int32: 'number',
  int64: 'number',
  double: 'number',
  bool: 'boolean',
  bytes: 'string',
  quantity: 'Quantity',
  intOrString: 'IntOrString',
  time: 'Time',
  microTime: 'MicroTime',
  fieldsV1: 'FieldsV1',
  raw: 'RawExtension',
  json: 'JsonValue',
  schemaOrArray: 'JsonValue',
  schemaOrBool: 'JsonValue',
  schemaOrStrings: 'JsonValue',
};
function fileOf(type: string): string {
  const [group, version] = type.split('.');
  return `${group}-${version}`;
}
function tsType(type: string, file: string, imports: Map<string, Set<string>>): string {
  if (type.startsWith('[]')) {
    const inner = tsType(type.slice(2), file, imports);
    return `${inner}[]`;
  }
  if (type.startsWith('map[')) return `Record<string, ${tsType(type.slice(4, -1), file, imports)}>`;
  const scalar = scalars[type];
  if (scalar) {
    if (/^[A-Z]/.test(scalar)) need(imports, 'scalars', scalar);
    return scalar;
  }
  const name = type.split('.')[2] ?? '';
  if (fileOf(type) !== file) {
    need(imports, fileOf(type), name);
  }
  return name;
}
function need(imports: Map<string, Set<string>>, file: string, name: string): void {
  const set = imports.get(file) ?? new Set();
  set.add(name);
  imports.set(file, set);
}

rmSync('src/api/types', { recursive: true, force: true });
mkdirSync('src/api/types', { recursive: true });
writeFileSync(
  'src/api/types/scalars.ts',
  `// Generated by scripts/catalog.ts.
/** Any JSON value. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
/** A decimal with an optional SI suffix, such as "100m" or "2Gi"; see api/quantity.ts. */
export type Quantity = string;
/** An integer, or a string (often a percentage). */
export type IntOrString = number | string;
/** RFC 3339, whole seconds, UTC. */
export type Time = string;
/** RFC 3339 with microseconds, UTC. */
export type MicroTime = string;
export type FieldsV1 = { [key: string]: JsonValue };
export type RawExtension = { [key: string]: JsonValue };
`,
);
const topLevel = new Set([...resources.map(r => r.type), 'core.v1.PodTemplate']);
const byFile = new Map<string, string[]>();
for (const name of Object.keys(sorted)) byFile.set(fileOf(name), [...(byFile.get(fileOf(name)) ?? []), name]);
for (const [file, names] of byFile) {
  const imports = new Map<string, Set<string>>();
  const blocks: string[] = [];
  for (const name of names) {
    const facts = sorted[name];
    if (!facts) continue;
    const isTop = topLevel.has(name);
    const lines = Object.entries(facts.f)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([field, entry]) => {
        const extras = entry[2] as { r?: number } | undefined;
        let required = extras?.r === 1;
        let type = tsType(entry[0] as string, file, imports);
        if (isTop && (field === 'metadata' || field === 'spec')) required = true;
        if (name === 'meta.v1.ObjectMeta' && field === 'name') required = true;
        if (type === 'ObjectMeta' && !isTop) type = 'Partial<ObjectMeta>';
        const key = /^[A-Za-z_$][\w$]*$/.test(field) ? field : JSON.stringify(field);
        return `  ${key}${required ? '' : '?'}: ${type};`;
      });
    const short = name.split('.')[2];
    blocks.push(
      lines.length > 0 ? `export interface ${short} {\n${lines.join('\n')}\n}` : `export type ${short} = {};`,
    );
  }
  const header = [...imports]
    .sort()
    .map(([from, set]) => `import type { ${[...set].sort().join(', ')} } from './${from}.ts';`);
  writeFileSync(
    `src/api/types/${file}.ts`,
    `// Generated by scripts/catalog.ts.\n${header.join('\n')}${header.length ? '\n\n' : ''}${blocks.join('\n\n')}\n`,
  );
}
const priority = [
  'meta-v1',
  'core-v1',
  'apps-v1',
  'batch-v1',
  'networking-v1',
  'rbac-v1',
  'policy-v1',
  'storage-v1',
  'autoscaling-v2',
  'apiextensions-v1',
];
const files = [...priority, ...[...byFile.keys()].filter(f => !priority.includes(f)).sort()];
const taken = new Set<string>();
const exportsText = files.map(file => {
  const names = (byFile.get(file) ?? []).map(name => name.split('.')[2] ?? '');
  const items = names.map(name => {
    if (!taken.has(name)) {
      taken.add(name);
      return name;
    }
    const [group = '', version = ''] = file.split('-');
    let alias = group[0]?.toUpperCase() + group.slice(1) + name;
    if (taken.has(alias)) alias = group[0]?.toUpperCase() + group.slice(1) + version.toUpperCase() + name;
    taken.add(alias);
    return `${name} as ${alias}`;
  });
  return `export type {\n  ${items.join(',\n  ')},\n} from './${file}.ts';`;
});
writeFileSync(
  'src/api/types/index.ts',
  `// Generated by scripts/catalog.ts. A name that two groups share is plain for the first of them and carries the group's name for the other.
export type { FieldsV1, IntOrString, JsonValue, MicroTime, Quantity, RawExtension, Time } from './scalars.ts';
${exportsText.join('\n')}
`,
);
// The typed client's map from resource to type.
const kindImports = resources.map((r, i) => `import type { ${r.kind} as T${i} } from './${fileOf(r.type)}.ts';`);
const kindLines = resources.map((r, i) => `  '${r.group ? `${r.group}/` : ''}${r.version}/${r.plural}': T${i};`);
writeFileSync(
  'src/api/types/resources.ts',
  `// Generated by scripts/catalog.ts.\n${kindImports.join('\n')}\n\n/** The type behind every served resource, by "group/version/plural" ("v1/pods" for the core group). */\nexport interface ResourceTypes {\n${kindLines.join('\n')}\n}\n`,
);
console.log(`${Object.keys(sorted).length} types, ${resources.length} resources`);
