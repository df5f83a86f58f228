/** The documents at /openapi/v2 and /openapi/v3. They are large: build them when they are asked for, and keep the bytes. */
import { addCustom } from './custom.ts';
import { Definitions, type Dialect, v2, v3 } from './definitions.ts';
import { type Operation, type Parameter, patchDefinition, pathsOf } from './operations.ts';
import {
  type Described,
  describeAll,
  type GroupVersion,
  type Json,
  type OpenApiSource,
  pathOf,
  rootsOf,
} from './source.ts';

const readTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const listTypes = [...readTypes, 'application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

function definitionsOf(all: readonly Described[], dialect: Dialect, source: OpenApiSource): Definitions {
  const definitions = new Definitions(dialect, source.docs);
  definitions.out[patchDefinition] = { type: 'object' };
  for (const described of all) {
    for (const root of rootsOf(described)) definitions.add(root);
    addCustom(definitions, dialect, described, source.docs);
    const { info, item, list, listKind } = described;
    definitions.mark(item, info);
    definitions.mark(list, { ...info, kind: listKind });
    for (const { group, version, kind } of Object.values(info.subresources))
      definitions.mark(described.nameOf({ group, version, kind }) ?? '', { group, version, kind });
  }
  for (const kind of ['DeleteOptions', 'Status', 'WatchEvent'])
    definitions.mark(`io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`, { group: '', version: 'v1', kind });
  return definitions;
}

const tagOf = ({ info }: Described) =>
  `${(info.group.replace(/\.k8s\.io$/, '') || 'core').replaceAll('.', '_')}_${info.version}`;
const extensions = ({ action, gvk }: Operation): Json => ({
  'x-kubernetes-action': action,
  'x-kubernetes-group-version-kind': { group: gvk.group, kind: gvk.kind, version: gvk.version },
});
const verbText: Record<string, string> = { get: 'read', post: 'create', put: 'replace', patch: 'partially update' };
function describe({ info }: Described, { action }: Operation): string {
  if (action === 'list') return `list or watch objects of kind ${info.kind}`;
  if (action === 'deletecollection') return `delete collection of ${info.kind}`;
  return `${verbText[action] ?? action} the specified ${info.kind}`;
}

function sorted(out: Json): Json {
  return Object.fromEntries(Object.entries(out).sort(([a], [b]) => (a < b ? -1 : 1)));
}

// ---- version 3 -----------------------------------------------------------------------------------------------------------

/** Group versions that have a document, as paths ("api/v1", "apis/apps/v1"). */
export function openApiV3Paths(source: OpenApiSource): string[] {
  return [...new Set(describeAll(source).map(d => pathOf(d.info)))].sort();
}

/** The document of one group version; undefined when nothing is served there. */
export function openApiV3(gv: GroupVersion, source: OpenApiSource): Json | undefined {
  const all = describeAll(source).filter(d => d.info.group === gv.group && d.info.version === gv.version);
  if (all.length === 0) return undefined;
  const paths: Json = {};
  for (const described of all)
    for (const { path, parameters, operations } of pathsOf(described)) {
      const entry: Json = { parameters: parameters.map(parameterV3) };
      for (const operation of operations) entry[operation.method] = operationV3(described, operation);
      paths[path] = entry;
    }
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: source.gitVersion },
    paths: sorted(paths),
    components: {
      schemas: sorted(definitionsOf(all, v3, source).out),
      securitySchemes: {
        BearerToken: {
          type: 'apiKey',
          description: 'Bearer Token authentication',
          name: 'authorization',
          in: 'header',
        },
      },
    },
  };
}

function parameterV3({ name, in: place, type }: Parameter): Json {
  return { name, in: place, ...(place === 'path' && { required: true }), schema: { type, uniqueItems: true } };
}

function operationV3(described: Described, operation: Operation): Json {
  const content = (name: string, types: readonly string[]) =>
    Object.fromEntries(types.map(t => [t, { schema: { $ref: v3.ref(name) } }]));
  const { body, response, action, created } = operation;
  const custom = described.custom !== undefined;
  const readable = custom ? readTypes.slice(0, 2) : action === 'list' ? listTypes : readTypes;
  const ok = response ? { description: 'OK', content: content(response, readable) } : { description: 'OK' };
  const bodyTypes = action === 'patch' ? patchTypes.filter(t => !custom || !t.includes('strategic')) : ['*/*'];
  return {
    tags: [tagOf(described)],
    description: describe(described, operation),
    operationId: operation.id,
    ...(operation.parameters.length > 0 && { parameters: operation.parameters.map(parameterV3) }),
    ...(body && { requestBody: { ...(body.required && { required: true }), content: content(body.name, bodyTypes) } }),
    responses: {
      200: ok,
      ...(created && { 201: { ...ok, description: 'Created' } }),
      401: { description: 'Unauthorized' },
    },
    ...extensions(operation),
  };
}

// ---- version 2 -----------------------------------------------------------------------------------------------------------

/** The one document of all group versions. */
export function openApiV2(source: OpenApiSource): Json {
  const all = describeAll(source);
  const paths: Json = {};
  for (const described of all)
    for (const { path, parameters, operations } of pathsOf(described)) {
      const entry: Json = {};
      for (const operation of operations) entry[operation.method] = operationV2(described, operation);
      entry['parameters'] = parameters.map(parameterV2);
      paths[path] = entry;
    }
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: source.gitVersion },
    paths: sorted(paths),
    definitions: sorted(definitionsOf(all, v2, source).out),
    securityDefinitions: {
      BearerToken: { description: 'Bearer Token authentication', type: 'apiKey', name: 'authorization', in: 'header' },
    },
    security: [{ BearerToken: [] }],
  };
}

function parameterV2({ name, in: place, type }: Parameter): Json {
  return { uniqueItems: true, type, name, in: place, ...(place === 'path' && { required: true }) };
}

function operationV2(described: Described, operation: Operation): Json {
  const { body, response, action, created } = operation;
  const custom = described.custom !== undefined;
  const schema = (name: string) => ({ schema: { $ref: v2.ref(name) } });
  const ok = { description: 'OK', ...(response && schema(response)) };
  const bodyParameter = body && {
    name: 'body',
    in: 'body',
    ...(body.required && { required: true }),
    ...schema(body.name),
  };
  const readable = custom ? readTypes.slice(0, 2) : action === 'list' ? listTypes : readTypes;
  return {
    description: describe(described, operation),
    consumes: action === 'patch' ? patchTypes.filter(t => !custom || !t.includes('strategic')) : ['*/*'],
    produces: response ? readable : ['*/*'],
    schemes: ['https'],
    tags: [tagOf(described)],
    operationId: operation.id,
    parameters: [...(bodyParameter ? [bodyParameter] : []), ...operation.parameters.map(parameterV2)],
    responses: {
      200: ok,
      ...(created && { 201: { ...ok, description: 'Created' } }),
      401: { description: 'Unauthorized' },
    },
    ...extensions(operation),
  };
}
