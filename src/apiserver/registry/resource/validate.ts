/** Claims and classes of devices (pkg/apis/resource/validation), without their CEL expressions. */
import type {
  DeviceClaim,
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  OpaqueDeviceConfiguration,
  ResourceClaimSpec,
} from '../../../api/types/resource-v1.ts';
import { byteLength } from '../../../api/validation/names.ts';
import { type Check, dnsLabel, dnsSubdomain, type Errors, each, required, requiredAnd } from '../checks.ts';
import { field } from '../field-errors.ts';
import { bounded, boundedSet, driverName, fullyQualifiedAttribute } from './names.ts';
import { validateToleration } from './taints.ts';

export const maxRequests = 32;
const maxSubRequests = 8;
const maxSelectors = 32;
const maxConstraints = 32;
export const maxConfigs = 32;
const maxExpression = 10 * 1024;
export const maxOpaque = 10 * 1024;

const selector: Check<DeviceSelector> = ({ cel }, path) => {
  if (!cel) return [field.required(`${path}.cel`)];
  const at = `${path}.cel.expression`;
  return byteLength(cel.expression ?? '') > maxExpression
    ? [field.tooLong(at, maxExpression)]
    : required(cel.expression, at);
};

const modes = ['All', 'ExactCount'];

function validateCount({ allocationMode: mode = '', count = 0 }: Partial<DeviceSubRequest>, path: string): Errors {
  const at = `${path}.count`;
  if (mode === 'All') {
    return count === 0 ? [] : [field.invalid(at, count, "must not be specified when allocationMode is 'All'")];
  }
  if (mode !== 'ExactCount') return [field.notSupported(`${path}.allocationMode`, mode, modes)];
  return count > 0 ? [] : [field.invalid(at, count, 'must be greater than zero')];
}

const validateExact = (request: Partial<DeviceSubRequest>, path: string): Errors => [
  ...requiredAnd(request.deviceClassName, `${path}.deviceClassName`, dnsSubdomain),
  ...bounded(request.selectors, maxSelectors, `${path}.selectors`, selector),
  ...validateCount(request, path),
  ...each(request.tolerations, `${path}.tolerations`, validateToleration),
];

const exactlyOne = 'exactly one of `exactly` or `firstAvailable` is required';

function validateRequest({ name, exactly, firstAvailable = [] }: DeviceRequest, path: string): Errors {
  const named = dnsLabel(name, `${path}.name`);
  if (exactly && firstAvailable.length > 0) {
    return [...named, field.invalid(path, null, `${exactlyOne}, but multiple fields are set`)];
  }
  if (exactly) return [...named, ...validateExact(exactly, `${path}.exactly`)];
  if (firstAvailable.length === 0) return [...named, field.required(path, exactlyOne)];
  const sub = (request: DeviceSubRequest, at: string) => [
    ...dnsLabel(request.name, `${at}.name`),
    ...validateExact(request, at),
  ];
  return [
    ...named,
    ...boundedSet(firstAvailable, maxSubRequests, `${path}.firstAvailable`, sub, request => request.name ?? ''),
  ];
}

/** Every name that constraints and configurations may refer to: "request" and "request/subrequest". */
export function requestNames({ requests = [] }: DeviceClaim): ReadonlySet<string> {
  return new Set(requests.flatMap(r => [r.name, ...(r.firstAvailable ?? []).map(sub => `${r.name}/${sub.name}`)]));
}

const unknownRequest =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

export function validateReference(name: string | undefined, path: string, known: ReadonlySet<string>): Errors {
  const text = name ?? '';
  const parts = text.split('/');
  if (parts.length > 2) return [field.invalid(path, text, unknownRequest)];
  return [
    ...parts.flatMap(part => dnsLabel(part, path)),
    ...(known.has(text) ? [] : [field.invalid(path, text, unknownRequest)]),
  ];
}

export const validateReferences = (
  names: readonly string[] | undefined,
  path: string,
  known: ReadonlySet<string>,
): Errors =>
  boundedSet(
    names,
    maxRequests,
    path,
    (name, at) => validateReference(name, at, known),
    name => name,
  );

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Data of a driver: a JSON object that is not too large. */
export function validateRaw(value: unknown, path: string, max: number): Errors {
  if (value === undefined || value === null) return [field.required(path)];
  if (byteLength(JSON.stringify(value)) > max) return [field.tooLong(path, max)];
  return isObject(value) ? [] : [field.invalid(path, '<value omitted>', 'must be a valid JSON object')];
}

export function validateConfig({ opaque }: { opaque?: OpaqueDeviceConfiguration }, path: string): Errors {
  const at = `${path}.opaque`;
  if (!opaque) return [field.required(at)];
  return [
    ...driverName(opaque.driver, `${at}.driver`),
    ...validateRaw(opaque.parameters, `${at}.parameters`, maxOpaque),
  ];
}

function validateConstraint(constraint: DeviceConstraint, path: string, known: ReadonlySet<string>): Errors {
  const { requests, matchAttribute: match } = constraint;
  const at = `${path}.matchAttribute`;
  return [
    ...validateReferences(requests, `${path}.requests`, known),
    ...(match === undefined ? [field.required(at)] : fullyQualifiedAttribute(match, at)),
  ];
}

export function validateClaimSpec(spec: ResourceClaimSpec | undefined, path: string): Errors {
  const claim = spec?.devices ?? {};
  const at = `${path}.devices`;
  const known = requestNames(claim);
  return [
    ...boundedSet(claim.requests, maxRequests, `${at}.requests`, validateRequest, request => request.name ?? ''),
    ...bounded(claim.constraints, maxConstraints, `${at}.constraints`, (constraint, where) =>
      validateConstraint(constraint, where, known),
    ),
    ...bounded(claim.config, maxConfigs, `${at}.config`, (config, where) => [
      ...validateReferences(config.requests, `${where}.requests`, known),
      ...validateConfig(config, where),
    ]),
  ];
}

export const validateClass = ({ spec }: DeviceClass): Errors => [
  ...bounded(spec.selectors, maxSelectors, 'spec.selectors', selector),
  ...bounded(spec.config, maxConfigs, 'spec.config', validateConfig),
];
