/** Resource slices: the devices that a driver offers. */
import type { Device, DeviceAttribute, DeviceTaint, ResourceSlice } from '../../../api/types/resource-v1.ts';
import { isLabelValue } from '../../../api/validation/names.ts';
import {
  type Check,
  dnsLabel,
  type Errors,
  each,
  eachEntry,
  immutable,
  invalidAll,
  objectName,
  oneOf,
  optional,
  requiredAnd,
} from '../checks.ts';
import { validateNodeSelector } from '../core/pod/scheduling.ts';
import { validateQuantity } from '../core/resource-names.ts';
import { field } from '../field-errors.ts';
import { validateLabelName } from '../meta/object-meta.ts';
import { driverName, poolName, qualifiedDeviceName } from './validate.ts';

const maxDevices = 128;
const maxAttributes = 32;
const maxText = 64;
const semver =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;
const places = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'] as const;

const attribute: Check<DeviceAttribute> = (value, path) => {
  const set = Object.values(value).filter(v => v !== undefined).length;
  if (set !== 1) {
    return set === 0
      ? [field.required(path, 'exactly one value must be specified')]
      : [field.invalid(path, value, 'exactly one value must be specified')];
  }
  return [
    ...optional(value.string, `${path}.string`, (text, at) =>
      text.length > maxText ? [field.tooLong(at, maxText)] : [],
    ),
    ...optional(value.version, `${path}.version`, (text, at) => [
      ...(text.length > maxText ? [field.tooLong(at, maxText)] : []),
      ...(semver.test(text) ? [] : [field.invalid(at, text, 'must be a string compatible with semver.org spec 2.0.0')]),
    ]),
  ];
};

const taint: Check<DeviceTaint> = ({ key, value, effect }, path) => [
  ...validateLabelName(key, `${path}.key`),
  ...(value ? invalidAll(`${path}.value`, value, isLabelValue(value)) : []),
  ...(effect
    ? oneOf(['NoExecute', 'NoSchedule', 'None'])(effect, `${path}.effect`)
    : [field.required(`${path}.effect`)]),
];

function validateDevice(device: Device, path: string, perDevice: boolean): Errors {
  const count = Object.keys(device.attributes ?? {}).length + Object.keys(device.capacity ?? {}).length;
  const own = [device.nodeName, device.nodeSelector, device.allNodes].filter(Boolean).length;
  return [
    ...requiredAnd(device.name, `${path}.name`, dnsLabel),
    ...(count > maxAttributes
      ? [field.invalid(path, count, `the total number of attributes and capacities must not exceed ${maxAttributes}`)]
      : []),
    ...eachEntry(device.attributes, `${path}.attributes`, (value, at, key) => [
      ...qualifiedDeviceName(key, at),
      ...attribute(value, at),
    ]),
    ...eachEntry(device.capacity, `${path}.capacity`, (value, at, key) => [
      ...qualifiedDeviceName(key, at),
      ...validateQuantity('', value.value, `${at}.value`),
    ]),
    ...each(device.taints, `${path}.taints`, taint),
    ...(perDevice && own !== 1
      ? [
          field.required(
            path,
            'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
          ),
        ]
      : []),
    ...optional(device.nodeSelector, `${path}.nodeSelector`, validateNodeSelector),
  ];
}

/** A slice says in exactly one way which nodes can reach its devices. */
function validatePlace({ spec }: ResourceSlice): Errors {
  const set = places.filter(key => spec[key]);
  const list = '`nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection`';
  if (set.length === 0) return [field.required('spec', `exactly one of ${list} is required`)];
  if (set.length > 1) {
    return [
      field.invalid('spec', `{${set.join(', ')}}`, `exactly one of ${list} is required, but multiple fields are set`),
    ];
  }
  return [
    ...optional(spec.nodeName, 'spec.nodeName', objectName()),
    ...optional(spec.nodeSelector, 'spec.nodeSelector', (selector, at) => [
      ...validateNodeSelector(selector, at),
      ...(selector.nodeSelectorTerms?.length === 1
        ? []
        : [
            field.invalid(
              `${at}.nodeSelectorTerms`,
              selector.nodeSelectorTerms,
              'must have exactly one node selector term',
            ),
          ]),
    ]),
  ];
}

export function validateSlice(slice: ResourceSlice): Errors {
  const { spec } = slice;
  const devices = spec.devices ?? [];
  const names = new Set<string>();
  const { generation = 0, resourceSliceCount = 0 } = spec.pool ?? {};
  return [
    ...driverName(spec.driver, 'spec.driver'),
    ...poolName(spec.pool?.name, 'spec.pool.name'),
    ...(resourceSliceCount > 0
      ? []
      : [field.invalid('spec.pool.resourceSliceCount', resourceSliceCount, 'must be greater than zero')]),
    ...(generation < 0
      ? [field.invalid('spec.pool.generation', generation, 'must be greater than or equal to zero')]
      : []),
    ...validatePlace(slice),
    ...(devices.length > maxDevices ? [field.tooMany('spec.devices', devices.length, maxDevices)] : []),
    ...each(devices, 'spec.devices', (device, at) => {
      const twice = names.has(device.name);
      names.add(device.name);
      return [
        ...validateDevice(device, at, spec.perDeviceNodeSelection ?? false),
        ...(twice ? [field.duplicate(`${at}.name`, device.name)] : []),
      ];
    }),
  ];
}

export function validateSliceUpdate({ spec }: ResourceSlice, { spec: old }: ResourceSlice): Errors {
  return [
    ...immutable(spec.pool?.name, old.pool?.name, 'spec.pool.name'),
    ...immutable(spec.driver, old.driver, 'spec.driver'),
    ...immutable(spec.nodeName, old.nodeName, 'spec.nodeName'),
  ];
}
