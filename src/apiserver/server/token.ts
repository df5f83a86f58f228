/** serviceaccounts/token: TokenRequest. */
import { schemaOf } from '../../api/catalog/index.ts';
import type { Unstructured } from '../../api/object.ts';
import type { ApiResponse } from '../../api/transport.ts';
import type { TokenRequestSpec } from '../../api/types/authentication-v1.ts';
import { errors } from '../../base/errors.ts';
import { aggregate, field } from '../registry/field-errors.ts';
import { admissionRequest, admit, validateAdmission } from './admission.ts';
import { readBody } from './body.ts';
import { checkNamespace } from './create.ts';
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
  checkNamespace(scope, served, obj);
  checkName(scope, obj.metadata.name);
  const account = servedObject(served, await readEntry(scope, served));
  checkUid(scope, obj, account);
  const { name, namespace } = scope.info;
  obj.metadata = { ...obj.metadata, name, namespace, uid: account.metadata.uid ?? '' };
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
  const issued = await issueToken(account, obj);
  const [asked, granted] = [secondsOf(obj), secondsOf(issued)];
  if (granted < asked) scope.warn(`requested expiration of ${asked} seconds shortened to ${granted} seconds`);
  return respondValue(201, issued, media);
}

const secondsOf = ({ spec }: Unstructured): number => (spec as TokenRequestSpec | undefined)?.expirationSeconds ?? 0;

function checkName({ info }: Scope, name: string | undefined): void {
  if (!name || name === info.name) return;
  const why = 'must match the service account name if specified';
  const { causes, message } = aggregate([field.invalid('metadata.name', name, why)]);
  throw errors.invalid(tokenKind, info.name, causes, message);
}

/** A client that knows its account by uid gets no token of a later account of that name. */
function checkUid({ info }: Scope, { metadata: { uid: asked } }: Unstructured, account: Unstructured): void {
  const { uid = '' } = account.metadata;
  if (!asked || asked === uid) return;
  const why = `the UID in the token request (${asked}) does not match the UID of the service account (${uid})`;
  throw errors.conflict({ group: tokenKind.group, resource: tokenKind.kind }, info.name, why);
}
