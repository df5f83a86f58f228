/** Selectors of devices: CEL over what a driver says of a device (k8s.io/dynamic-resource-allocation/cel). */
import type { Environment } from '@marcbachmann/cel-js';
import { CelQuantity, CelVersion, celEnvironment } from '../../api/cel/environment.ts';
import { parseVersion } from '../../api/cel/version.ts';
import { parseQuantity } from '../../api/quantity.ts';
import type { Device, DeviceAttribute } from '../../api/types/resource-v1.ts';
import { messageOf } from '../../base/errors.ts';

type Compiled = (driver: string, device: Device) => boolean;

const keep = 1_000;

/** Compiles each expression once. The function throws an error that begins "CEL compile error" or "CEL runtime error". */
export function createDeviceSelectors(): (expression: string) => Compiled {
  const known = new Map<string, Compiled>();
  let environment: Environment | undefined;
  return expression => {
    let compiled = known.get(expression);
    if (!compiled) {
      if (known.size >= keep) known.clear();
      environment ??= deviceEnvironment();
      compiled = compile(environment, expression);
      known.set(expression, compiled);
    }
    return compiled;
  };
}

function deviceEnvironment(): Environment {
  return celEnvironment()
    .registerType('kubernetes.DRADevice', {
      fields: {
        driver: 'string',
        attributes: 'map<string, map<string, dyn>>',
        capacity: 'map<string, map<string, kubernetes.Quantity>>',
        allowMultipleAllocations: 'bool',
      },
    })
    .registerVariable('device', 'kubernetes.DRADevice');
}

function compile(environment: Environment, expression: string): Compiled {
  const { valid, type, error } = environment.check(expression);
  const failure = valid ? wrongType(type) : firstLine(messageOf(error));
  if (failure !== undefined)
    return () => {
      throw new Error(`CEL compile error: ${failure}`);
    };
  const program = environment.parse(expression);
  return (driver, device) => {
    let result: unknown;
    try {
      result = program({ device: viewOf(driver, device) });
    } catch (thrown) {
      throw new Error(`CEL runtime error: ${firstLine(messageOf(thrown))}`);
    }
    if (typeof result !== 'boolean') throw new Error('CEL runtime error: the result is not a bool');
    return result;
  };
}

/** The value of an attribute, whose type is known at run time only, may be the answer. */
function wrongType(type: string | undefined): string | undefined {
  return type === 'bool' || type === 'dyn' ? undefined : `must evaluate to bool or the unknown type, not ${type}`;
}

/** The rest of a message draws the place in the expression. */
const firstLine = (text: string) => text.split('\n', 1)[0] ?? '';

function viewOf(driver: string, { attributes = {}, capacity = {}, allowMultipleAllocations = false }: Device) {
  return {
    driver,
    allowMultipleAllocations,
    attributes: byDomain(driver, attributes, attributeValue),
    capacity: byDomain(driver, capacity, ({ value }) => new CelQuantity(parseQuantity(value))),
  };
}

function attributeValue({ int, bool, string, version }: DeviceAttribute): unknown {
  if (int !== undefined) return BigInt(int);
  if (version !== undefined) return new CelVersion(parseVersion(version));
  return bool ?? string;
}

/** A name without a domain has the driver's. A domain that no name has is an empty map rather than an error. */
function byDomain<T>(driver: string, named: Readonly<Record<string, T>>, value: (of: T) => unknown): object {
  const domains: Record<string, Record<string, unknown>> = {};
  for (const [name, of] of Object.entries(named)) {
    const slash = name.indexOf('/');
    const domain = slash < 0 ? driver : name.slice(0, slash);
    (domains[domain] ??= {})[name.slice(slash + 1)] = value(of);
  }
  return new Proxy(domains, {
    get: (target, key) =>
      typeof key === 'string' && key !== 'constructor' ? (target[key] ?? {}) : Reflect.get(target, key),
    getOwnPropertyDescriptor: (target, key) => ({
      value: target[String(key)] ?? {},
      configurable: true,
      enumerable: true,
      writable: false,
    }),
  });
}
