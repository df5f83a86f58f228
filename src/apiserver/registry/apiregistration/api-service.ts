import type { APIService } from '../../../api/types/apiregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain, nameIsPathSegment } from '../../../api/validation/names.ts';
import { type Errors, invalidAll, required } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import { field } from '../field-errors.ts';

function available({ status }: APIService): string {
  const condition = status?.conditions?.find(c => c.type === 'Available');
  if (!condition) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
}

const maxGroupPriority = 20_000;
const maxVersionPriority = 1000;

function validateService({ spec }: APIService): Errors {
  if (!spec.service) {
    const local = 'local APIServices may not have a caBundle';
    return [
      ...(spec.caBundle ? [field.invalid('spec.caBundle', '<ca bundle>', local)] : []),
      ...(spec.insecureSkipTLSVerify
        ? [field.invalid('spec.insecureSkipTLSVerify', true, 'must not be set for local APIServices')]
        : []),
    ];
  }
  const { name, namespace, port = 443 } = spec.service;
  return [
    ...required(namespace, 'spec.service.namespace'),
    ...required(name, 'spec.service.name'),
    ...(port < 1 || port > 65_535
      ? [field.invalid('spec.service.port', port, 'port is not valid: must be between 1 and 65535, inclusive')]
      : []),
    ...(spec.insecureSkipTLSVerify && spec.caBundle
      ? [field.invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present')]
      : []),
  ];
}

function validateApiService(obj: APIService): Errors {
  const { group = '', version = '', groupPriorityMinimum: groupPriority = 0, versionPriority = 0 } = obj.spec;
  const expected = `${version}.${group}`;
  const legacy = group === '' && version === 'v1';
  return [
    ...(obj.metadata.name === expected
      ? []
      : [
          field.invalid(
            'metadata.name',
            obj.metadata.name,
            `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(expected)}`,
          ),
        ]),
    ...(group === ''
      ? legacy
        ? []
        : [field.required('spec.group', 'only v1 may have an empty group and it better be legacy kube')]
      : invalidAll('spec.group', group, isDns1123Subdomain(group))),
    ...invalidAll('spec.version', version, isDns1035Label(version)),
    ...(groupPriority <= 0 || groupPriority > maxGroupPriority
      ? [
          field.invalid(
            'spec.groupPriorityMinimum',
            groupPriority,
            `must be positive and less than ${maxGroupPriority}`,
          ),
        ]
      : []),
    ...(versionPriority <= 0 || versionPriority > maxVersionPriority
      ? [field.invalid('spec.versionPriority', versionPriority, `must be positive and less than ${maxVersionPriority}`)]
      : []),
    ...validateService(obj),
  ];
}

export const apiServices = clusterScoped<APIService>({
  resource: 'apiregistration.k8s.io/apiservices',
  default(obj) {
    obj.status ??= {};
    if (obj.spec.service) obj.spec.service.port ??= 443;
  },
  initialStatus: () => ({}),
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
});
