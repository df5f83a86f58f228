/** The operations on a resource, independent of the OpenAPI version. */
import { schemaOfKind } from '../catalog/index.ts';
import type { ScalarType, Schema } from '../schema.ts';
import { connectKinds, type Described, type GroupVersion, type Gvk, pathOf } from './source.ts';

export interface Parameter {
  name: string;
  in: 'query' | 'path';
  type: 'string' | 'integer' | 'boolean';
}
export type Method = 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch';
export interface Operation {
  method: Method;
  id: string;
  tag: string;
  description: string;
  /** Absent for what is not about resources. */
  about?: { action: string; gvk: Gvk };
  parameters: readonly Parameter[];
  consumes: readonly string[];
  /** Definition name of the body, and whether it must be there. */
  body?: { name: string; required: boolean };
  produces: readonly string[];
  /** Definition name of the answer; absent for plain text. */
  response?: string;
  /** Besides 401. */
  statuses: readonly (200 | 201 | 202)[];
}
export interface Path {
  path: string;
  /** Those of all operations. */
  parameters: readonly Parameter[];
  operations: readonly Operation[];
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const patchDefinition = `${meta}.Patch`;
const status = `${meta}.Status`;
const deleteOptions = `${meta}.DeleteOptions`;

export const anyType: readonly string[] = ['*/*'];
export const readTypes: readonly string[] = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
];
const customTypes = readTypes.slice(0, 2);
const listTypes = [...readTypes, 'application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const customPatchTypes = patchTypes.filter(type => !type.includes('strategic'));

const query = (name: string, type: Parameter['type'] = 'string'): Parameter => ({ name, in: 'query', type });
const inPath = (name: string): Parameter => ({ name, in: 'path', type: 'string' });
const pretty = query('pretty');
const dryRun = query('dryRun');
const writeParameters = [dryRun, query('fieldManager'), query('fieldValidation')];
const patchParameters = [...writeParameters, query('force', 'boolean')];
const listParameters = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue'),
  query('fieldSelector'),
  query('labelSelector'),
  query('limit', 'integer'),
  query('resourceVersion'),
  query('resourceVersionMatch'),
  query('sendInitialEvents', 'boolean'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
];
const deleteParameters = [
  dryRun,
  query('gracePeriodSeconds', 'integer'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
];
const collectionParameters = [
  ...listParameters.filter(p => p.name !== 'watch' && p.name !== 'allowWatchBookmarks'),
  ...deleteParameters,
];

/** What all operations of a path take is the path's. Upstream sorts by name. */
export function pathWith(path: string, operations: readonly Operation[]): Path {
  const key = (p: Parameter) => `${p.name} ${p.in}`;
  const sorted = (all: readonly Parameter[]) => [...all].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const [first, ...others] = operations.map(o => new Set(o.parameters.map(key)));
  const isShared = (p: Parameter) => (first?.has(key(p)) ?? false) && others.every(keys => keys.has(key(p)));
  return {
    path,
    parameters: sorted((operations[0]?.parameters ?? []).filter(isShared)),
    operations: operations.map(o => ({ ...o, parameters: sorted(o.parameters.filter(p => !isShared(p))) })),
  };
}

const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** "rbac.authorization.k8s.io" becomes "RbacAuthorization". */
export function groupId(group: string): string {
  return (group || 'core')
    .replace(/\.k8s\.io$/, '')
    .split('.')
    .map(upper)
    .join('');
}
export function tagOf({ group, version }: GroupVersion): string {
  const id = groupId(group);
  return `${id.charAt(0).toLowerCase()}${id.slice(1)}${version && `_${version}`}`;
}

/** All paths of a resource. */
export function pathsOf(described: Described): Path[] {
  const { info, custom } = described;
  const base = `/${pathOf(info)}`;
  const space = info.namespaced ? '/namespaces/{namespace}' : '';
  const spaceParameters = info.namespaced ? [inPath('namespace')] : [];
  const itemParameters = [inPath('name'), ...spaceParameters];
  const collection = `${space}/${info.plural}`;
  const own: Gvk = { group: info.group, version: info.version, kind: info.kind };
  const lists = info.verbs.includes('list');
  const watches = info.verbs.includes('watch') && !custom;
  const out: [path: string, operations: Operation[]][] = [
    [`${base}${collection}`, collectionOperations(described, [...spaceParameters, pretty])],
    [`${base}${collection}/{name}`, itemOperations(described, '', own, info.verbs, [...itemParameters, pretty])],
  ];
  if (info.namespaced && lists) out.push([`${base}/${info.plural}`, [listOperation(described, [pretty], true)]]);
  for (const [sub, { group, version, kind, verbs }] of Object.entries(info.subresources)) {
    const path = `${base}${collection}/{name}/${sub}`;
    const gvk = { group, version, kind };
    if (sub === 'log') out.push([path, [logOperation(described, sub, gvk, [...itemParameters, pretty])]]);
    else if (connectKinds.test(kind)) out.push(...connectPaths(described, path, sub, gvk, verbs, itemParameters));
    else out.push([path, itemOperations(described, sub, gvk, verbs, [...itemParameters, pretty])]);
  }
  if (watches) {
    const watched = `${base}/watch`;
    out.push([`${watched}${collection}`, [watchOperation(described, 'watchlist', [...spaceParameters, pretty])]]);
    out.push([`${watched}${collection}/{name}`, [watchOperation(described, 'watch', [...itemParameters, pretty])]]);
    if (info.namespaced)
      out.push([`${watched}/${info.plural}`, [watchOperation(described, 'watchlist', [pretty], true)]]);
  }
  return out.filter(([, operations]) => operations.length > 0).map(([path, operations]) => pathWith(path, operations));
}

/** What differs from the usual: JSON, YAML and protobuf of the definition `response`, answered with 200. */
interface Details extends Partial<Pick<Operation, 'body' | 'consumes' | 'produces' | 'statuses'>> {
  /** Absent: the resource's. */
  gvk?: Gvk;
  parameters: readonly Parameter[];
  /** Null: plain text. */
  response: string | null;
}

/** The verb of an operation's id, by action. */
const idVerbs: Readonly<Record<string, string>> = {
  get: 'read',
  post: 'create',
  put: 'replace',
  deletecollection: 'delete',
  watchlist: 'watch',
};
const infixes: Readonly<Record<string, string>> = { deletecollection: 'Collection' };

function operation(
  { info, custom }: Described,
  method: Method,
  action: string,
  /** What stands around the kind in the id: "Namespaced" and "Status", say. */
  [before, after]: readonly [string, string],
  description: string,
  details: Details,
): Operation {
  const verb = idVerbs[action] ?? action;
  const infix = action === 'connect' ? upper(method) : (infixes[action] ?? '');
  return {
    method,
    id: `${verb}${groupId(info.group)}${upper(info.version)}${infix}${before}${info.kind}${after}`,
    tag: tagOf(info),
    description,
    about: { action, gvk: details.gvk ?? { group: info.group, version: info.version, kind: info.kind } },
    parameters: details.parameters,
    consumes: details.consumes ?? (custom ? customTypes : anyType),
    produces: details.produces ?? (custom ? customTypes : readTypes),
    statuses: details.statuses ?? [200],
    ...(details.body && { body: details.body }),
    ...(details.response && { response: details.response }),
  };
}

const namespacedId = ({ info }: Described, everywhere = false) => (info.namespaced && !everywhere ? 'Namespaced' : '');

/** "a Pod", "an Event", "Endpoints". */
function withArticle(kind: string): string {
  if (/[^s]s$/.test(kind)) return kind;
  return `${/^[AEIOU]/i.test(kind) ? 'an' : 'a'} ${kind}`;
}

function listOperation(described: Described, around: readonly Parameter[], everywhere = false): Operation {
  const { info, list, custom } = described;
  const watch = info.verbs.includes('watch') && !custom ? ' or watch' : '';
  const around_ = [namespacedId(described, everywhere), everywhere ? 'ForAllNamespaces' : ''] as const;
  return operation(described, 'get', 'list', around_, `list${watch} objects of kind ${info.kind}`, {
    parameters: [...listParameters, ...around],
    response: list,
    ...(!custom && { produces: listTypes }),
  });
}

function watchOperation(
  described: Described,
  action: 'watch' | 'watchlist',
  around: readonly Parameter[],
  everywhere = false,
): Operation {
  const { kind } = described.info;
  const what = action === 'watch' ? `changes to an object of kind ${kind}` : `individual changes to a list of ${kind}`;
  const instead = action === 'watch' ? ", filtered to a single item with the 'fieldSelector' parameter" : '';
  const after = `${action === 'watch' ? '' : 'List'}${everywhere ? 'ForAllNamespaces' : ''}`;
  const text = `watch ${what}. deprecated: use the 'watch' parameter with a list operation instead${instead}.`;
  return operation(described, 'get', action, [namespacedId(described, everywhere), after], text, {
    parameters: [...listParameters, ...around],
    response: `${meta}.WatchEvent`,
    produces: listTypes,
  });
}

function collectionOperations(described: Described, around: readonly Parameter[]): Operation[] {
  const { info, item, custom } = described;
  const name = [namespacedId(described), ''] as const;
  const out: Operation[] = [];
  if (info.verbs.includes('list')) out.push(listOperation(described, around));
  if (info.verbs.includes('create'))
    out.push(
      operation(described, 'post', 'post', name, `create ${withArticle(info.kind)}`, {
        parameters: [...writeParameters, ...around],
        body: { name: item, required: true },
        response: item,
        statuses: [200, 201, 202],
      }),
    );
  if (info.verbs.includes('deletecollection'))
    out.push(
      operation(described, 'delete', 'deletecollection', name, `delete collection of ${info.kind}`, {
        parameters: [...(custom ? listParameters : collectionParameters), ...around],
        ...(!custom && { body: { name: deleteOptions, required: false } }),
        response: status,
      }),
    );
  return out;
}

function itemOperations(
  described: Described,
  sub: string,
  gvk: Gvk,
  verbs: readonly string[],
  around: readonly Parameter[],
): Operation[] {
  const { info, custom, deleted } = described;
  const response = described.nameOf(gvk) ?? described.item;
  const body = { name: response, required: true };
  const of = sub && `${sub} of `;
  const make = (method: Method, action: string, text: string, { parameters, ...details }: Partial<Details>) =>
    operation(described, method, action, [namespacedId(described), upper(sub)], text, {
      gvk,
      response,
      parameters: [...(parameters ?? []), ...around],
      ...details,
    });
  const out: Operation[] = [];
  if (verbs.includes('get')) out.push(make('get', 'get', `read ${of}the specified ${info.kind}`, {}));
  if (verbs.includes('update')) {
    const details: Partial<Details> = { parameters: writeParameters, body, statuses: [200, 201] };
    out.push(make('put', 'put', `replace ${of}the specified ${info.kind}`, details));
  }
  if (sub && verbs.includes('create')) {
    const details: Partial<Details> = { parameters: writeParameters, body, statuses: [200, 201, 202] };
    out.push(make('post', 'post', `create ${of}${withArticle(info.kind)}`, details));
  }
  if (verbs.includes('delete')) {
    const options = { name: deleteOptions, required: false };
    const details: Partial<Details> = { body: options, response: deleted ?? status, statuses: [200, 202] };
    out.push(
      make('delete', 'delete', `delete ${withArticle(info.kind)}`, { parameters: deleteParameters, ...details }),
    );
  }
  if (verbs.includes('patch')) {
    const consumes = custom ? customPatchTypes : patchTypes;
    const patch = { name: patchDefinition, required: true };
    const statuses: Operation['statuses'] = custom ? [200] : [200, 201];
    const details: Partial<Details> = { parameters: patchParameters, body: patch, consumes, statuses };
    out.push(make('patch', 'patch', `partially update ${of}the specified ${info.kind}`, details));
  }
  return out;
}

// ---- connect -------------------------------------------------------------------------------------------------------------

const scalarTypes: Partial<Record<ScalarType, Parameter['type']>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'integer',
  int64: 'integer',
};

/** The fields of a kind of options as parameters; lists are repeated. */
function optionParameters(gvk: Gvk): Parameter[] {
  const fields = schemaOfKind(gvk)?.fields ?? new Map();
  return [...fields].flatMap(([name, field]) => {
    const { schema }: { schema: Schema } = field;
    const scalar = schema.kind === 'list' ? schema.items : schema;
    const type = scalar.kind === 'scalar' ? scalarTypes[scalar.type] : undefined;
    return type && name !== 'kind' && name !== 'apiVersion' ? [query(name, type)] : [];
  });
}

function logOperation(described: Described, sub: string, gvk: Gvk, around: readonly Parameter[]): Operation {
  const text = `read log of the specified ${described.info.kind}`;
  return operation(described, 'get', 'get', [namespacedId(described), upper(sub)], text, {
    gvk,
    parameters: [...optionParameters({ ...gvk, kind: `${gvk.kind}LogOptions` }), ...around],
    response: null,
    produces: ['text/plain', ...readTypes],
  });
}

const verbMethods: readonly (readonly [verb: string, method: Method])[] = [
  ['get', 'get'],
  ['create', 'post'],
  ['update', 'put'],
  ['patch', 'patch'],
  ['delete', 'delete'],
];

/** Proxies take all methods, and a path behind them. */
function connectPaths(
  described: Described,
  path: string,
  sub: string,
  gvk: Gvk,
  verbs: readonly string[],
  around: readonly Parameter[],
): [string, Operation[]][] {
  const options = optionParameters(gvk);
  const proxy = sub === 'proxy';
  const methods = verbMethods.filter(([verb]) => verbs.includes(verb)).map(([, method]) => method);
  if (proxy) methods.push('head', 'options');
  const operations = (suffix: string, more: readonly Parameter[]) =>
    methods.map(method => {
      const text = `connect ${method.toUpperCase()} requests to ${sub} of ${described.info.kind}`;
      return operation(described, method, 'connect', [namespacedId(described), `${upper(sub)}${suffix}`], text, {
        gvk,
        parameters: [...options, ...around, ...more],
        response: null,
        produces: anyType,
      });
    });
  const direct: [string, Operation[]] = [path, operations('', [])];
  return proxy ? [direct, [`${path}/{path}`, operations('WithPath', [inPath('path')])]] : [direct];
}
