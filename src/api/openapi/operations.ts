/** The operations on a resource, independent of the OpenAPI version. */
import { connectKinds, type Described, type Gvk, pathOf } from './source.ts';

export interface Parameter {
  name: string;
  in: 'query' | 'path';
  type: 'string' | 'integer' | 'boolean';
}
export interface Operation {
  method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  id: string;
  action: string;
  gvk: Gvk;
  parameters: readonly Parameter[];
  /** Definition name of the body, and whether it must be there. */
  body?: { name: string; required: boolean };
  /** Definition name of the answer; absent for plain text. */
  response?: string;
  created: boolean;
}
export interface Path {
  path: string;
  parameters: readonly Parameter[];
  operations: readonly Operation[];
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const patchDefinition = `${meta}.Patch`;
const status = `${meta}.Status`;
const deleteOptions = `${meta}.DeleteOptions`;

const query = (name: string, type: Parameter['type'] = 'string'): Parameter => ({ name, in: 'query', type });
const dryRun = query('dryRun');
const writeParameters = [dryRun, query('fieldManager'), query('fieldValidation')];
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
const pathParameter = (name: string): Parameter => ({ name, in: 'path', type: 'string' });
const pretty = query('pretty');

/** All paths of a resource. */
export function pathsOf(described: Described): Path[] {
  const { info } = described;
  const base = `/${pathOf(info)}`;
  const space = info.namespaced ? '/namespaces/{namespace}' : '';
  const spaceParameters = info.namespaced ? [pathParameter('namespace')] : [];
  const collection = `${base}${space}/${info.plural}`;
  const out: Path[] = [
    { path: collection, parameters: [...spaceParameters, pretty], operations: collectionOperations(described) },
    {
      path: `${collection}/{name}`,
      parameters: [pathParameter('name'), ...spaceParameters, pretty],
      operations: itemOperations(
        described,
        '',
        { group: info.group, version: info.version, kind: info.kind },
        info.verbs,
      ),
    },
  ];
  if (info.namespaced && info.verbs.includes('list'))
    out.push({
      path: `${base}/${info.plural}`,
      parameters: [...listParameters, pretty],
      operations: [operation(described, 'get', 'list', '', { response: described.list, everywhere: true })],
    });
  for (const [sub, { group, version, kind, verbs }] of Object.entries(info.subresources)) {
    const gvk = { group, version, kind };
    const operations =
      connectKinds.test(kind) || sub === 'log'
        ? connectOperations(described, sub, gvk, verbs)
        : itemOperations(described, sub, gvk, verbs);
    out.push({
      path: `${collection}/{name}/${sub}`,
      parameters: [pathParameter('name'), ...spaceParameters, pretty],
      operations,
    });
  }
  return out.filter(p => p.operations.length > 0);
}

interface Details {
  gvk?: Gvk;
  sub?: string;
  parameters?: readonly Parameter[];
  body?: { name: string; required: boolean };
  response?: string;
  created?: boolean;
  everywhere?: boolean;
}

function operation(
  { info }: Described,
  method: Operation['method'],
  action: string,
  sub: string,
  details: Details,
): Operation {
  const upper = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const verbs: Record<string, string> = { get: 'read', post: 'create', put: 'replace' };
  const group = info.group
    ? info.group
        .replace(/\.k8s\.io$/, '')
        .split('.')
        .map(upper)
        .join('')
    : 'Core';
  const scope = info.namespaced && !details.everywhere ? 'Namespaced' : '';
  const tail = details.everywhere ? 'ForAllNamespaces' : '';
  const collection = action === 'deletecollection';
  const verb = collection ? 'delete' : (verbs[action] ?? action);
  const infix = collection ? 'Collection' : action === 'connect' ? upper(method) : '';
  return {
    method,
    id: `${verb}${group}${upper(info.version)}${infix}${scope}${info.kind}${upper(sub)}${tail}`,
    action,
    gvk: details.gvk ?? { group: info.group, version: info.version, kind: info.kind },
    parameters: details.parameters ?? [],
    ...(details.body && { body: details.body }),
    ...(details.response && { response: details.response }),
    created: details.created ?? false,
  };
}

function collectionOperations(described: Described): Operation[] {
  const { info, item, list } = described;
  const out: Operation[] = [];
  if (info.verbs.includes('list'))
    out.push(operation(described, 'get', 'list', '', { parameters: listParameters, response: list }));
  if (info.verbs.includes('create')) {
    const body = { name: item, required: true };
    out.push(
      operation(described, 'post', 'post', '', { parameters: writeParameters, body, response: item, created: true }),
    );
  }
  if (info.verbs.includes('deletecollection')) {
    const parameters = [
      ...listParameters.filter(p => !/^(watch|allowWatchBookmarks)$/.test(p.name)),
      ...deleteParameters,
    ];
    const body = { name: deleteOptions, required: false };
    out.push(operation(described, 'delete', 'deletecollection', '', { parameters, body, response: status }));
  }
  return out;
}

function itemOperations(described: Described, sub: string, gvk: Gvk, verbs: readonly string[]): Operation[] {
  const response = described.nameOf(gvk) ?? described.item;
  const body = { name: response, required: true };
  const make = (method: Operation['method'], action: string, details: Details) =>
    operation(described, method, action, sub, { gvk, response, ...details });
  const out: Operation[] = [];
  if (verbs.includes('get')) out.push(make('get', 'get', {}));
  if (verbs.includes('update')) out.push(make('put', 'put', { parameters: writeParameters, body, created: true }));
  if (sub && verbs.includes('create'))
    out.push(make('post', 'post', { parameters: writeParameters, body, created: true }));
  if (verbs.includes('delete')) {
    const options = { name: deleteOptions, required: false };
    out.push(make('delete', 'delete', { parameters: deleteParameters, body: options, response: status }));
  }
  if (verbs.includes('patch')) {
    const parameters = [...writeParameters, query('force', 'boolean')];
    const patch = { name: patchDefinition, required: true };
    out.push(make('patch', 'patch', { parameters, body: patch, created: true }));
  }
  return out;
}

function connectOperations(described: Described, sub: string, gvk: Gvk, verbs: readonly string[]): Operation[] {
  const methods: readonly [string, Operation['method']][] = [
    ['get', 'get'],
    ['create', 'post'],
    ['update', 'put'],
    ['patch', 'patch'],
    ['delete', 'delete'],
  ];
  const action = sub === 'log' ? 'get' : 'connect';
  return methods
    .filter(([verb]) => verbs.includes(verb))
    .map(([, method]) => operation(described, method, action, sub, { gvk }));
}
