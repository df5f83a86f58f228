/** The documents at /openapi/v2 and /openapi/v3. They are large: build them when they are asked for, and keep the bytes. */
import { schemaOf } from '../catalog/index.ts';
import { addCustom } from './custom.ts';
import { Definitions, type Dialect, v2, v3 } from './definitions.ts';
import { type Operation, type Parameter, type Path, patchDefinition, pathsOf } from './operations.ts';
import { type ServerPath, serverPaths, versionSchema } from './server-paths.ts';
import { type Described, describeAll, type Json, type OpenApiSource, pathOf, rootsOf } from './source.ts';

/** Everything that the paths speak of. */
function definitionsOf(
  all: readonly Described[],
  server: readonly ServerPath[],
  dialect: Dialect,
  source: OpenApiSource,
): Definitions {
  const definitions = new Definitions(dialect, source.docs);
  if (all.length > 0) definitions.out[patchDefinition] = { type: 'object' };
  for (const { response } of server) {
    if (response === versionSchema.name) definitions.add(versionSchema);
    else if (response) definitions.add(schemaOf(`meta.v1.${response.split('.').pop()}`));
  }
  for (const described of all) {
    for (const root of rootsOf(described)) definitions.add(root);
    addCustom(definitions, dialect, described, source.docs);
    const { info, item, list, listKind } = described;
    definitions.mark(item, info);
    definitions.mark(list, { ...info, kind: listKind });
    for (const { group, version, kind } of Object.values(info.subresources))
      definitions.mark(described.nameOf({ group, version, kind }) ?? '', { group, version, kind });
  }
  for (const kind of metaKinds) definitions.mark(`${meta}.${kind}`, { group: '', version: 'v1', kind });
  // Every group version knows these two.
  for (const { group, version } of describeAll(source).map(d => d.info))
    for (const kind of ['DeleteOptions', 'WatchEvent']) definitions.mark(`${meta}.${kind}`, { group, version, kind });
  return definitions;
}
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const metaKinds = [
  'DeleteOptions',
  'Status',
  'WatchEvent',
  'APIVersions',
  'APIGroupList',
  'APIGroup',
  'APIResourceList',
];

const extensions = ({ about }: Operation): Json =>
  about
    ? {
        'x-kubernetes-action': about.action,
        'x-kubernetes-group-version-kind': {
          group: about.gvk.group,
          kind: about.gvk.kind,
          version: about.gvk.version,
        },
      }
    : {};

const statusTexts = { 200: 'OK', 201: 'Created', 202: 'Accepted' };

/** Answers by status, all with the same content. */
function responses(operation: Operation, content: Json): Json {
  const all: Json = {};
  for (const status of operation.statuses) all[status] = { description: statusTexts[status], ...content };
  all['401'] = { description: 'Unauthorized' };
  return all;
}

function sorted(out: Json): Json {
  return Object.fromEntries(Object.entries(out).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The paths by their name, rendered. */
function rendered(paths: readonly Path[], parameter: (p: Parameter) => Json, operation: (o: Operation) => Json): Json {
  const out: Json = {};
  for (const { path, parameters, operations } of paths) {
    const entry: Json = {};
    for (const each of operations) entry[each.method] = operation(each);
    if (parameters.length > 0) entry['parameters'] = parameters.map(parameter);
    out[path] = entry;
  }
  return sorted(out);
}

// ---- version 3 -----------------------------------------------------------------------------------------------------------

/** What has a document, as paths ("api", "api/v1", "apis/apps/v1"). */
export function openApiV3Paths(source: OpenApiSource): string[] {
  const all = describeAll(source);
  return [...new Set([...all.map(d => pathOf(d.info)), ...serverPaths(all).map(p => p.document)])].sort();
}

/** The document of one group version, or of another path; undefined when nothing is served there. */
export function openApiV3(path: string, source: OpenApiSource): Json | undefined {
  const everything = describeAll(source);
  const all = everything.filter(d => pathOf(d.info) === path);
  const server = serverPaths(everything).filter(p => p.document === path);
  if (all.length === 0 && server.length === 0) return undefined;
  return {
    openapi: '3.0.0',
    info: infoOf(all, source),
    paths: rendered([...server, ...all.flatMap(pathsOf)], parameterV3, operationV3),
    components: {
      schemas: sorted(definitionsOf(all, server, v3, source).out),
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

function infoOf(all: readonly Described[], { gitVersion }: OpenApiSource): Json {
  const custom = all.length > 0 && all.every(d => d.custom);
  return custom ? { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' } : { title: 'Kubernetes', version: gitVersion };
}

function parameterV3({ name, in: place, type }: Parameter): Json {
  return { name, in: place, ...(place === 'path' && { required: true }), schema: { type, uniqueItems: true } };
}

function operationV3(operation: Operation): Json {
  const { body, response, parameters } = operation;
  const content = (name: string | undefined, types: readonly string[]) => {
    const schema = name === undefined ? { type: 'string' } : { $ref: v3.ref(name) };
    return Object.fromEntries(types.map(type => [type, { schema }]));
  };
  const answer = { content: content(response, operation.produces) };
  return {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.id,
    ...(parameters.length > 0 && { parameters: parameters.map(parameterV3) }),
    ...(body && {
      requestBody: { ...(body.required && { required: true }), content: content(body.name, operation.consumes) },
    }),
    responses: responses(operation, answer),
    ...extensions(operation),
  };
}

// ---- version 2 -----------------------------------------------------------------------------------------------------------

/** The one document of all group versions. */
export function openApiV2(source: OpenApiSource): Json {
  const all = describeAll(source);
  const server = serverPaths(all);
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: source.gitVersion },
    paths: rendered([...server, ...all.flatMap(pathsOf)], parameterV2, operationV2),
    definitions: sorted(definitionsOf(all, server, v2, source).out),
    securityDefinitions: {
      BearerToken: { description: 'Bearer Token authentication', type: 'apiKey', name: 'authorization', in: 'header' },
    },
    security: [{ BearerToken: [] }],
  };
}

function parameterV2({ name, in: place, type }: Parameter): Json {
  return { uniqueItems: true, type, name, in: place, ...(place === 'path' && { required: true }) };
}

function operationV2(operation: Operation): Json {
  const { body, response, consumes, parameters } = operation;
  const schema = (name: string) => ({ schema: { $ref: v2.ref(name) } });
  const bodyParameter = body && {
    name: 'body',
    in: 'body',
    ...(body.required && { required: true }),
    ...schema(body.name),
  };
  const all = [...(bodyParameter ? [bodyParameter] : []), ...parameters.map(parameterV2)];
  return {
    description: operation.description,
    ...(consumes.length > 0 && { consumes }),
    produces: operation.produces,
    schemes: ['https'],
    tags: [operation.tag],
    operationId: operation.id,
    ...(all.length > 0 && { parameters: all }),
    responses: responses(operation, response ? schema(response) : { schema: { type: 'string' } }),
    ...extensions(operation),
  };
}
