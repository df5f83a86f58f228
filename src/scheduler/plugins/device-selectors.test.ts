import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device } from '../../api/types/resource-v1.ts';
import { createDeviceSelectors } from './device-selectors.ts';

const selectors = createDeviceSelectors();
const gpu: Device = {
  name: 'gpu-0',
  attributes: {
    model: { string: 'A100' },
    index: { int: 3 },
    driverVersion: { version: '12.4.1' },
    'other.example.com/healthy': { bool: true },
  },
  capacity: { memory: { value: '40Gi' } },
};
const own = 'device.attributes["gpu.example.com"]';

for (const [expression, expected] of [
  ['device.driver == "gpu.example.com"', true],
  ['device.driver == "tpu.example.com"', false],
  [`${own}.model == "A100"`, true],
  [`${own}.model.startsWith("H")`, false],
  [`${own}.index > 2 && ${own}["index"] < 4`, true],
  [`"model" in ${own}`, true],
  [`${own}.exists(name, name == "index")`, true],
  ['device.attributes["other.example.com"].healthy', true],
  ['"model" in device.attributes["unknown.example.com"]', false],
  ['device.attributes["unknown.example.com"].?model.orValue("none") == "none"', true],
  [`${own}.driverVersion.isGreaterThan(semver("12.4.0"))`, true],
  [`${own}.driverVersion.compareTo(semver("13.0.0")) < 0 && ${own}.driverVersion.minor() == 4`, true],
  ['device.capacity["gpu.example.com"].memory.compareTo(quantity("40Gi")) == 0', true],
  ['device.capacity["gpu.example.com"].memory == quantity("40960Mi")', true],
  ['device.capacity["gpu.example.com"].memory.sub(quantity("39Gi")).isLessThan(quantity("2Gi"))', true],
  [`cel.bind(dra, ${own}, dra.model == "A100" && dra.index == 3)`, true],
  ['!device.allowMultipleAllocations', true],
] as const)
  test(expression, () => assert.equal(selectors(expression)('gpu.example.com', gpu), expected));

for (const [expression, error] of [
  ['device.attributes[', /^CEL compile error: /],
  ['device.color == "red"', /^CEL compile error: No such key: color/],
  ['1 + 1', /^CEL compile error: must evaluate to bool or the unknown type, not int/],
  [`${own}.color == "red"`, /^CEL runtime error: No such key: color/],
  ['device.attributes["unknown.example.com"].model == "A100"', /^CEL runtime error: No such key: model/],
  [`${own}.model`, /^CEL runtime error: the result is not a bool/],
] as const)
  test(`error: ${expression}`, () =>
    assert.throws(() => selectors(expression)('gpu.example.com', gpu), { message: error }));
