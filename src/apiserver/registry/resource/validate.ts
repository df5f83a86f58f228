/** Dynamic resource allocation (pkg/apis/resource/validation), without its CEL expressions. */
import type {
  AllocationResult,
  DeviceClaim,
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  OpaqueDeviceConfiguration,
  ResourceClaim,
  ResourceClaimSpec,
} from '../../../api/types/resource-v1.ts';
import { isCIdentifier } from '../../../api/validation/names.ts';
import {
  type Check,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  each,
  forbidden,
  immutable,
  invalidAll,
  objectName,
  oneOf,
  optional,
  required,
  requiredAnd,
  same,
} from '../checks.ts';
import { validateNodeSelector } from '../core/pod/scheduling.ts';
import { field } from '../field-errors.ts';
import { validateLabelName } from '../meta/object-meta.ts';

const maxRequests = 32;
const maxSubRequests = 8;
const maxSelectors = 32;
const maxConstraints = 32;
const maxConfigs = 32;
const maxReserved = 256;
const maxTolerations = 16;
const maxExpression = 10 * 1024;
const maxOpaque = 10 * 1024;

/** A list of at most `max` items. */
function atMost(list: readonly unknown[] | undefined, max: number, path: string): Errors {
  const count = list?.length ?? 0;
  return count > max ? [field.tooMany(path, count, max)] : [];
}

export const driverName: Check<string | undefined> = (name, path) => {
  if (!name) return [field.required(path)];
  return [...(name.length > 63 ? [field.tooLong(path, 63)] : []), ...dnsSubdomain(name, path)];
};

export const poolName: Check<string | undefined> = (name, path) => {
  if (!name) return [field.required(path)];
  if (name.length > 253) return [field.tooLong(path, 253)];
  return name.split('/').flatMap(part => dnsSubdomain(part, path));
};

/** "name" or "domain/name", the name a C identifier. */
export const qualifiedDeviceName: Check<string> = (text, path) => {
  const parts = text.split('/');
  if (parts.length > 2) {
    return [field.invalid(path, text, "must be the form of '<C identifier>' or '<domain>/<C identifier>'")];
  }
  const name = parts.at(-1) ?? '';
  const domain = parts.length === 2 ? (parts[0] ?? '') : undefined;
  return [
    ...(domain === '' ? [field.required(path, 'the domain must not be empty')] : []),
    ...(domain ? dnsSubdomain(domain, path) : []),
    ...(name === ''
      ? [field.required(path, 'the name must not be empty')]
      : [...(name.length > 32 ? [field.tooLong(path, 32)] : []), ...invalidAll(path, name, isCIdentifier(name))]),
  ];
};

const selector: Check<DeviceSelector> = ({ cel }, path) => {
  if (!cel) return [field.required(`${path}.cel`)];
  const { expression = '' } = cel;
  const at = `${path}.cel.expression`;
  return [
    ...required(expression, at),
    ...(expression.length > maxExpression ? [field.tooLong(at, maxExpression)] : []),
  ];
};

function validateSelectors(selectors: readonly DeviceSelector[] | undefined, path: string): Errors {
  return [...atMost(selectors, maxSelectors, path), ...each(selectors, path, selector)];
}

const toleration: Check<DeviceToleration> = ({ key, operator = '', value, effect }, path) => [
  ...(key ? validateLabelName(key, `${path}.key`) : []),
  ...(!key && operator !== 'Exists'
    ? [
        field.invalid(
          `${path}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      ]
    : []),
  ...oneOf(['Equal', 'Exists'])(operator, `${path}.operator`),
  ...(operator === 'Exists' && value
    ? [field.invalid(`${path}.value`, value, 'must be empty for operator `Exists`')]
    : []),
  ...(effect ? oneOf(['NoExecute', 'NoSchedule', 'None'])(effect, `${path}.effect`) : []),
];

function validateExact(request: Omit<DeviceSubRequest, 'name'>, path: string): Errors {
  const { allocationMode: mode, count = 0 } = request;
  const modes = ['All', 'ExactCount'];
  return [
    ...requiredAnd(request.deviceClassName, `${path}.deviceClassName`, objectName()),
    ...validateSelectors(request.selectors, `${path}.selectors`),
    ...(mode === 'ExactCount' && count <= 0
      ? [field.invalid(`${path}.count`, count, 'must be greater than zero')]
      : []),
    ...(mode === 'All' && count !== 0
      ? [field.invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'")]
      : []),
    ...(mode && modes.includes(mode) ? [] : [field.notSupported(`${path}.allocationMode`, mode ?? '', modes)]),
    ...atMost(request.tolerations, maxTolerations, `${path}.tolerations`),
    ...each(request.tolerations, `${path}.tolerations`, toleration),
  ];
}

function validateRequest(request: DeviceRequest, path: string): Errors {
  const { exactly, firstAvailable } = request;
  const count = Number(exactly !== undefined) + Number((firstAvailable?.length ?? 0) > 0);
  const names = new Set<string>();
  return [
    ...(count === 0 ? [field.required(path, 'exactly one of `exactly` or `firstAvailable` is required')] : []),
    ...(count > 1
      ? [
          field.invalid(
            path,
            null,
            'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set',
          ),
        ]
      : []),
    ...(exactly ? validateExact(exactly, `${path}.exactly`) : []),
    ...atMost(firstAvailable, maxSubRequests, `${path}.firstAvailable`),
    ...each(firstAvailable, `${path}.firstAvailable`, (sub, at) => {
      const twice = names.has(sub.name);
      names.add(sub.name);
      return [
        ...requiredAnd(sub.name, `${at}.name`, dnsLabel),
        ...(twice ? [field.duplicate(`${at}.name`, sub.name)] : []),
        ...validateExact(sub, at),
      ];
    }),
  ];
}

/** Every name that constraints and configurations may refer to: "request" and "request/subrequest". */
function requestNames(claim: DeviceClaim): ReadonlySet<string> {
  return new Set(
    (claim.requests ?? []).flatMap(r => [r.name, ...(r.firstAvailable ?? []).map(sub => `${r.name}/${sub.name}`)]),
  );
}

function validateReferences(
  references: readonly string[] | undefined,
  known: ReadonlySet<string>,
  path: string,
): Errors {
  const seen = new Set<string>();
  return [
    ...atMost(references, maxRequests, path),
    ...each(references, path, (name, at) => {
      if (seen.has(name)) return [field.duplicate(at, name)];
      seen.add(name);
      return known.has(name)
        ? []
        : [
            field.invalid(
              at,
              name,
              "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
            ),
          ];
    }),
  ];
}

function validateOpaque(opaque: OpaqueDeviceConfiguration, path: string): Errors {
  const size = JSON.stringify(opaque.parameters ?? '').length;
  const at = `${path}.parameters`;
  return [
    ...driverName(opaque.driver, `${path}.driver`),
    ...(opaque.parameters === undefined ? [field.required(at)] : []),
    ...(size > maxOpaque ? [field.tooLong(at, maxOpaque)] : []),
  ];
}

function validateConfig(config: { opaque?: OpaqueDeviceConfiguration }, path: string): Errors {
  return config.opaque
    ? validateOpaque(config.opaque, `${path}.opaque`)
    : [field.required(path, 'exactly one configuration required')];
}

function validateConstraint(constraint: DeviceConstraint, path: string, known: ReadonlySet<string>): Errors {
  const { matchAttribute: match, distinctAttribute: distinct } = constraint;
  const attribute: Check<string> = (value, at) => [
    ...qualifiedDeviceName(value, at),
    ...(value.includes('/') ? [] : [field.invalid(at, value, 'must include a domain')]),
  ];
  return [
    ...validateReferences(constraint.requests, known, `${path}.requests`),
    ...optional(match, `${path}.matchAttribute`, attribute),
    ...optional(distinct, `${path}.distinctAttribute`, attribute),
    ...(match === undefined && distinct === undefined
      ? [field.required(path, 'exactly one of matchAttribute or distinctAttribute is required')]
      : []),
  ];
}

export function validateClaimSpec(spec: ResourceClaimSpec | undefined, path: string): Errors {
  const claim = spec?.devices ?? {};
  const at = `${path}.devices`;
  const known = requestNames(claim);
  const names = new Set<string>();
  return [
    ...atMost(claim.requests, maxRequests, `${at}.requests`),
    ...each(claim.requests, `${at}.requests`, (request, where) => {
      const twice = names.has(request.name);
      names.add(request.name);
      return [
        ...requiredAnd(request.name, `${where}.name`, dnsLabel),
        ...(twice ? [field.duplicate(`${where}.name`, request.name)] : []),
        ...validateRequest(request, where),
      ];
    }),
    ...atMost(claim.constraints, maxConstraints, `${at}.constraints`),
    ...each(claim.constraints, `${at}.constraints`, (constraint, where) =>
      validateConstraint(constraint, where, known),
    ),
    ...atMost(claim.config, maxConfigs, `${at}.config`),
    ...each(claim.config, `${at}.config`, (config, where) => [
      ...validateReferences(config.requests, known, `${where}.requests`),
      ...validateConfig(config, where),
    ]),
  ];
}

export function validateClass({ spec }: DeviceClass): Errors {
  return [
    ...validateSelectors(spec.selectors, 'spec.selectors'),
    ...atMost(spec.config, maxConfigs, 'spec.config'),
    ...each(spec.config, 'spec.config', validateConfig),
    ...optional(spec.extendedResourceName, 'spec.extendedResourceName', (name, at) =>
      name.includes('/') && !name.includes('kubernetes.io/')
        ? validateLabelName(name, at)
        : [field.invalid(at, name, 'must be a valid extended resource name')],
    ),
  ];
}

function validateAllocation(allocation: AllocationResult, claim: ResourceClaim, path: string): Errors {
  const known = requestNames(claim.spec.devices ?? {});
  const results = `${path}.devices.results`;
  return [
    ...optional(allocation.nodeSelector, `${path}.nodeSelector`, validateNodeSelector),
    ...atMost(allocation.devices?.results, maxRequests, results),
    ...each(allocation.devices?.results, results, (result, at) => [
      ...(known.has(result.request)
        ? []
        : [
            field.invalid(
              `${at}.request`,
              result.request,
              "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
            ),
          ]),
      ...driverName(result.driver, `${at}.driver`),
      ...poolName(result.pool, `${at}.pool`),
      ...requiredAnd(result.device, `${at}.device`, dnsLabel),
    ]),
  ];
}

/** Allocation is set once and only taken away as a whole; what is reserved needs an allocation. */
export function validateClaimStatus(claim: ResourceClaim, old: ResourceClaim): Errors {
  const { allocation, reservedFor = [] } = claim.status ?? {};
  const path = 'status.reservedFor';
  const uids = new Set<string>();
  const before = old.status?.allocation;
  return [
    ...atMost(reservedFor, maxReserved, path),
    ...each(reservedFor, path, ({ uid, name, resource }, at) => {
      const twice = uids.has(uid);
      uids.add(uid);
      return [
        ...required(resource, `${at}.resource`),
        ...required(name, `${at}.name`),
        ...required(uid, `${at}.uid`),
        ...(twice ? [field.duplicate(at, uid)] : []),
      ];
    }),
    ...forbidden(reservedFor.length > 0 && !allocation, path, 'may not be specified when `allocated` is not set'),
    ...(claim.metadata.deletionTimestamp && reservedFor.length > (old.status?.reservedFor?.length ?? 0)
      ? [
          field.forbidden(
            path,
            'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
          ),
        ]
      : []),
    ...(before && allocation ? immutable(allocation, before, 'status.allocation') : []),
    ...(allocation && !same(allocation, before) ? validateAllocation(allocation, claim, 'status.allocation') : []),
  ];
}
