import type { APIService, APIServiceSpec, APIServiceStatus } from '../../../api/types/apiregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain, isPortNumber, nameIsPathSegment } from '../../../api/validation/names.ts';
import { rfc3339 } from '../../../base/clock.ts';
import { decodedLength, type Errors, invalidAll, oneOf, required } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';

const maxGroupPriority = 20_000;
const maxVersionPriority = 1000;

function available({ status }: APIService): string {
  const condition = status?.conditions?.find(c => c.type === 'Available');
  if (!condition) return 'Unknown';
  const { status: state, reason } = condition;
  return state === 'True' || !reason ? state : `${state} (${reason})`;
}

/** The group versions of this server need nobody to watch over them. */
function statusOf({ spec }: APIService, now: number): APIServiceStatus {
  if (spec.service) return {};
  const condition = { type: 'Available', status: 'True', reason: 'Local', lastTransitionTime: rfc3339(now) };
  return { conditions: [{ ...condition, message: 'Local APIServices are always available' }] };
}

function validateLocal({ caBundle, insecureSkipTLSVerify }: APIServiceSpec): Errors {
  const bytes = `${decodedLength(caBundle ?? '')} bytes`;
  return [
    ...(caBundle ? [field.invalid('spec.caBundle', bytes, 'local APIServices may not have a caBundle')] : []),
    ...(insecureSkipTLSVerify
      ? [field.invalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify')]
      : []),
  ];
}

function validateRemote({ service, caBundle, insecureSkipTLSVerify }: APIServiceSpec): Errors {
  const { namespace, name, port = 0 } = service ?? {};
  const bad = isPortNumber(port).join(', ');
  return [
    ...required(namespace, 'spec.service.namespace'),
    ...required(name, 'spec.service.name'),
    ...(bad ? [field.invalid('spec.service.port', port, `port is not valid: ${bad}`)] : []),
    ...(insecureSkipTLSVerify && caBundle
      ? [field.invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present')]
      : []),
  ];
}

function priority(path: string, value: number, max: number): Errors {
  return value > 0 && value <= max ? [] : [field.invalid(path, value, `must be positive and less than ${max}`)];
}

/** Missing names and those that are no path segments are found with the metadata. */
function validateFullName(name: string | undefined, expected: string): Errors {
  if (!name || name === expected || nameIsPathSegment(name, false).length > 0) return [];
  const detail = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(expected)}`;
  return [field.invalid('metadata.name', name, detail)];
}

function validateApiService({ metadata, spec }: APIService): Errors {
  const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = spec;
  return [
    ...validateFullName(metadata.name, `${version}.${group}`),
    ...(group === '' && version !== 'v1'
      ? [field.required('spec.group', 'only v1 may have an empty group and it better be legacy kube')]
      : []),
    ...(group ? invalidAll('spec.group', group, isDns1123Subdomain(group)) : []),
    ...invalidAll('spec.version', version, isDns1035Label(version)),
    ...priority('spec.groupPriorityMinimum', groupPriorityMinimum, maxGroupPriority),
    ...priority('spec.versionPriority', versionPriority, maxVersionPriority),
    ...(spec.service ? validateRemote(spec) : validateLocal(spec)),
  ];
}

function validateStatus({ status }: APIService): Errors {
  const known = oneOf(['True', 'False', 'Unknown']);
  return (status?.conditions ?? []).flatMap((c, i) => known(c.status, `status.conditions[${i}].status`));
}

export const apiServices = clusterScoped<APIService>({
  resource: 'apiregistration.k8s.io/apiservices',
  default(obj) {
    obj.status ??= {};
    if (obj.spec.service) obj.spec.service.port ??= 443;
  },
  initialStatus: () => ({}),
  prepareForCreate(obj, { clock }) {
    obj.status = statusOf(obj, clock.now());
  },
  allowUnconditionalUpdate: false,
  validate: validateApiService,
  validateName: nameIsPathSegment,
  columns: [
    nameColumn,
    text('Service', ({ spec: { service } }) =>
      service ? `${service.namespace ?? ''}/${service.name ?? ''}` : 'Local',
    ),
    text('Available', available),
    ageColumn,
  ],
  subresources: {
    status: statusSubresource({ fixedMetadata: true, validateUpdate: validateStatus }),
  },
});
