/** Paths that are not about resources: discovery, the version, and OpenID. Each has its own document in version 3. */
import type { Field, ObjectSchema } from '../schema.ts';
import { groupId, type Operation, type Path, pathWith, readTypes, tagOf } from './operations.ts';
import { type Described, pathOf } from './source.ts';

export interface ServerPath extends Path {
  /** Of the document, such as "apis/apps". */
  document: string;
  /** Definition name of the answer. */
  response: string | undefined;
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const versionName = 'io.k8s.apimachinery.pkg.version.Info';
const required = 'major minor gitVersion gitCommit gitTreeState buildDate goVersion compiler platform'.split(' ');
const optional = 'emulationMajor emulationMinor minCompatibilityMajor minCompatibilityMinor'.split(' ');
const text = (name: string, preset?: ''): [string, Field] => [
  name,
  { name, schema: { kind: 'scalar', type: 'string' }, protobuf: 0, ...(preset !== undefined && { default: preset }) },
];

/** What /version answers; it is no kind. */
export const versionSchema: ObjectSchema = {
  kind: 'object',
  name: versionName,
  required,
  fields: new Map([...required.map(name => text(name, '')), ...optional.map(name => text(name))]),
};

function read(
  path: string,
  id: string,
  tag: string,
  description: string,
  response: string | undefined,
  types: readonly string[] = readTypes,
  consumes: readonly string[] = types,
): ServerPath {
  const operation: Operation = {
    method: 'get',
    id,
    tag,
    description,
    parameters: [],
    consumes,
    produces: types,
    statuses: [200],
    ...(response && { response }),
  };
  return { ...pathWith(`/${path}/`, [operation]), document: path, response };
}

const json = ['application/json'];
const openId = 'service account issuer OpenID';
const fixed: readonly ServerPath[] = [
  read('api', 'getCoreAPIVersions', 'core', 'get available API versions', `${meta}.APIVersions`),
  read('apis', 'getAPIVersions', 'apis', 'get available API versions', `${meta}.APIGroupList`),
  read('version', 'getCodeVersion', 'version', 'get the version information for this server', versionName, json),
  read(
    '.well-known/openid-configuration',
    'getServiceAccountIssuerOpenIDConfiguration',
    'WellKnown',
    `get ${openId} configuration, also known as the 'OIDC discovery doc'`,
    undefined,
    json,
    [],
  ),
  read(
    'openid/v1/jwks',
    'getServiceAccountIssuerOpenIDKeyset',
    'openid',
    `get ${openId} JSON Web Key Set (contains public token verification keys)`,
    undefined,
    ['application/jwk-set+json'],
    [],
  ),
];

/** Those of the server, its groups and its group versions. Custom groups have none. */
export function serverPaths(all: readonly Described[]): ServerPath[] {
  const versions = new Map(all.filter(d => !d.custom).map(({ info }) => [pathOf(info), info]));
  const groups = new Set([...versions.values()].map(info => info.group).filter(group => group !== ''));
  return [
    ...fixed,
    ...[...groups].map(group =>
      read(
        `apis/${group}`,
        `get${groupId(group)}APIGroup`,
        tagOf({ group, version: '' }),
        'get information of a group',
        `${meta}.APIGroup`,
      ),
    ),
    ...[...versions].map(([path, info]) => {
      const id = `get${groupId(info.group)}${info.version.charAt(0).toUpperCase()}${info.version.slice(1)}APIResources`;
      return read(path, id, tagOf(info), 'get available resources', `${meta}.APIResourceList`);
    }),
  ];
}
