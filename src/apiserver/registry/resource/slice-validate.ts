/** Resource slices: the devices that a driver offers. */
import type { Device, DeviceAttribute, ResourceSlice } from '../../../api/types/resource-v1.ts';
import { byteLength } from '../../../api/validation/names.ts';
import { type Check, type Errors, eachEntry, immutable, objectName, optional } from '../checks.ts';
import { validateNodeSelector } from '../core/pod/scheduling.ts';
import { nodeSelectorTerm } from '../core/shown-selectors.ts';
import { field } from '../field-errors.ts';
import { internalList } from '../internal-form.ts';
import { bounded, boundedSet, deviceName, driverName, poolName, qualifiedName } from './names.ts';
import { validateTaint } from './taints.ts';

const maxDevices = 128;
/** Tainted devices take more room. */
const maxTaintedDevices = 64;
const maxTaints = 16;
const maxAttributes = 32;
const maxText = 64;
const identifier = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const semver = new RegExp(
  `^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(-${identifier}(\\.${identifier})*)?(\\+[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*)?$`,
);

const shortText: Check<string> = (text, path) => (byteLength(text) > maxText ? [field.tooLong(path, maxText)] : []);

const attribute: Check<DeviceAttribute> = (value, path) => {
  const { bool, int, string, version } = value;
  const set = [bool, int, string, version].filter(v => v !== undefined).length;
  const internal = {
    IntValue: int ?? null,
    BoolValue: bool ?? null,
    StringValue: string ?? null,
    VersionValue: version ?? null,
  };
  return [
    ...optional(string, `${path}.string`, shortText),
    ...optional(version, `${path}.version`, (text, at) => [
      ...(semver.test(text) ? [] : [field.invalid(at, text, 'must be a string compatible with semver.org spec 2.0.0')]),
      ...shortText(text, at),
    ]),
    ...(set === 1 ? [] : [field.invalid(path, set === 0 ? '' : internal, 'exactly one value must be specified')]),
  ];
};

function validateDevice(device: Device, path: string): Errors {
  const count = Object.keys(device.attributes ?? {}).length + Object.keys(device.capacity ?? {}).length;
  return [
    ...deviceName(device.name, `${path}.name`),
    ...(count > maxAttributes
      ? [field.invalid(path, count, `the total number of attributes and capacities must not exceed ${maxAttributes}`)]
      : []),
    ...eachEntry(device.attributes, `${path}.attributes`, (value, at, key) => [
      ...qualifiedName(key, at),
      ...attribute(value, at),
    ]),
    ...eachEntry(device.capacity, `${path}.capacity`, (_, at, key) => qualifiedName(key, at)),
    ...bounded(device.taints, maxTaints, `${path}.taints`, validateTaint),
  ];
}

function validateNodes({ spec: { nodeName, nodeSelector, allNodes } }: ResourceSlice): Errors {
  const one = 'must have exactly one node selector term';
  return [
    ...optional(nodeName, 'spec.nodeName', (name, at) =>
      name === ''
        ? [field.invalid(at, name, 'must be either unset or set to a non-empty string')]
        : objectName()(name, at),
    ),
    ...optional(nodeSelector, 'spec.nodeSelector', (selector, at) => [
      ...validateNodeSelector(selector, at),
      ...(selector.nodeSelectorTerms?.length === 1
        ? []
        : [field.invalid(`${at}.nodeSelectorTerms`, internalList(nodeSelectorTerm, selector.nodeSelectorTerms), one)]),
    ]),
    ...optional(allNodes, 'spec.allNodes', (all, at) =>
      all ? [] : [field.invalid(at, all, 'must be either unset or set to true')],
    ),
  ];
}

/** A slice says in exactly one way which nodes can reach its devices. */
function validatePlace(slice: ResourceSlice): Errors {
  const { nodeName, nodeSelector, allNodes } = slice.spec;
  const set = Object.entries({ nodeName, nodeSelector, allNodes }).filter(([, value]) => value);
  const detail = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  const shown = `{${set.map(([key]) => `\`${key}\``).join(', ')}}`;
  return [
    ...validateNodes(slice),
    ...(set.length === 0 ? [field.required('spec', detail)] : []),
    ...(set.length > 1 ? [field.invalid('spec', shown, `${detail}, but multiple fields are set`)] : []),
  ];
}

function validatePool({ spec: { pool } }: ResourceSlice): Errors {
  const { name, generation = 0, resourceSliceCount: count = 0 } = pool ?? {};
  return [
    ...poolName(name, 'spec.pool.name'),
    ...(count > 0 ? [] : [field.invalid('spec.pool.resourceSliceCount', count, 'must be greater than zero')]),
    ...(generation < 0
      ? [field.invalid('spec.pool.generation', generation, 'must be greater than or equal to zero')]
      : []),
  ];
}

export function validateSlice(slice: ResourceSlice): Errors {
  const { driver, devices } = slice.spec;
  const most = devices?.some(device => device.taints?.length) ? maxTaintedDevices : maxDevices;
  return [
    ...driverName(driver, 'spec.driver'),
    ...validatePool(slice),
    ...validatePlace(slice),
    ...boundedSet(devices, most, 'spec.devices', validateDevice, device => device.name ?? ''),
  ];
}

export function validateSliceUpdate({ spec }: ResourceSlice, { spec: old }: ResourceSlice): Errors {
  return [
    ...immutable(spec.pool?.name, old.pool?.name, 'spec.pool.name'),
    ...immutable(spec.driver, old.driver, 'spec.driver'),
    ...immutable(spec.nodeName, old.nodeName, 'spec.nodeName'),
  ];
}
