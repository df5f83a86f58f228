/** serviceaccounts/token: TokenRequest. */
import { schemaOf } from '../../api/catalog/index.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { admissionRequest, admit, validateAdmission } from './admission.ts';
import { readBody } from './body.ts';
import { writeParameters } from './options.ts';
import { respondValue, servedObject } from './output.ts';
import { negotiated, readEntry, writeOffer } from './read.ts';
import type { Scope, Served } from './scope.ts';

const tokenKind = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' };

export async function createTokenRequest(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'CreateOptions');
  const obj = readBody(scope, tokenKind, schemaOf('authentication.v1.TokenRequest'), parameters);
  const { issueToken } = scope.core;
  if (!issueToken) throw errors.methodNotSupported({ group: '', resource: 'serviceaccounts/token' }, 'create');
  const account = servedObject(served, await readEntry(scope, served));
  if (obj.metadata.name && obj.metadata.name !== scope.info.name)
    throw errors.badRequest(
      `metadata.name: Invalid value: ${JSON.stringify(obj.metadata.name)}: must match the service account name if specified`,
    );
  obj.metadata.name = scope.info.name;
  obj.metadata.namespace = scope.info.namespace;
  const request = admissionRequest(scope, served, {
    operation: 'CREATE',
    name: scope.info.name,
    object: obj,
    oldObject: undefined,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    dryRun: parameters.dryRun,
  });
  await admit(scope.core.admission, request);
  await validateAdmission(scope.core.admission, request);
  return respondValue(201, await issueToken(account, obj), media);
}
