/** Common Expression Language with Kubernetes' own types, resource quantities and semantic versions (k8s.io/apiserver pkg/cel/library). */
import { Environment } from '@marcbachmann/cel-js';
import {
  addQuantity,
  compareQuantity,
  floatOf,
  integerOf,
  parseQuantity,
  type Quantity,
  quantityOf,
  signOfQuantity,
  subQuantity,
  tryParseQuantity,
} from '../quantity.ts';
import { compareVersions, parseVersion, tryParseVersion, type Version } from './version.ts';

/** The language tells values apart by their classes. */
export class CelQuantity {
  readonly value: Quantity;
  constructor(value: Quantity) {
    this.value = value;
  }
}
export class CelVersion {
  readonly value: Version;
  constructor(value: Version) {
    this.value = value;
  }
}

const quantity = 'kubernetes.Quantity';
const version = 'kubernetes.Semver';

/** A fresh environment; the caller declares its variables. */
export function celEnvironment(): Environment {
  const env = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  env.registerType(quantity, { ctor: CelQuantity, fields: {} });
  env.registerType(version, { ctor: CelVersion, fields: {} });
  addQuantities(env);
  addVersions(env);
  return env;
}

function addQuantities(env: Environment): void {
  const on = (signature: string, call: (a: Quantity, b: Quantity) => unknown) =>
    env.registerFunction(`${quantity}.${signature}`, (a: CelQuantity, b?: CelQuantity) =>
      call(a.value, b?.value ?? a.value),
    );
  env.registerFunction(`quantity(string): ${quantity}`, (text: string) => new CelQuantity(parseQuantity(text)));
  env.registerOperator(
    `${quantity} == ${quantity}`,
    (a: CelQuantity, b: CelQuantity) => compareQuantity(a.value, b.value) === 0,
  );
  env.registerFunction('isQuantity(string): bool', (text: string) => tryParseQuantity(text) !== undefined);
  on(`compareTo(${quantity}): int`, (a, b) => BigInt(compareQuantity(a, b)));
  on(`isLessThan(${quantity}): bool`, (a, b) => compareQuantity(a, b) < 0);
  on(`isGreaterThan(${quantity}): bool`, (a, b) => compareQuantity(a, b) > 0);
  on(`add(${quantity}): ${quantity}`, (a, b) => new CelQuantity(addQuantity(a, b)));
  on(`sub(${quantity}): ${quantity}`, (a, b) => new CelQuantity(subQuantity(a, b)));
  on('sign(): int', a => BigInt(signOfQuantity(a)));
  on('isInteger(): bool', a => integerOf(a) !== undefined);
  on('asInteger(): int', a => {
    const integer = integerOf(a);
    if (integer === undefined) throw new Error('cannot convert value to integer');
    return integer;
  });
  on('asApproximateFloat(): double', floatOf);
  for (const [name, combine] of [
    ['add', addQuantity],
    ['sub', subQuantity],
  ] as const)
    env.registerFunction(
      `${quantity}.${name}(int): ${quantity}`,
      (a: CelQuantity, b: bigint) => new CelQuantity(combine(a.value, quantityOf(b))),
    );
}

function addVersions(env: Environment): void {
  const on = (signature: string, call: (a: Version, b: Version) => unknown) =>
    env.registerFunction(`${version}.${signature}`, (a: CelVersion, b?: CelVersion) =>
      call(a.value, b?.value ?? a.value),
    );
  env.registerFunction(`semver(string): ${version}`, (text: string) => new CelVersion(parseVersion(text)));
  env.registerFunction(
    `semver(string, bool): ${version}`,
    (text: string, normalize: boolean) => new CelVersion(parseVersion(text, normalize)),
  );
  env.registerOperator(
    `${version} == ${version}`,
    (a: CelVersion, b: CelVersion) => compareVersions(a.value, b.value) === 0,
  );
  env.registerFunction('isSemver(string): bool', (text: string) => tryParseVersion(text) !== undefined);
  env.registerFunction(
    'isSemver(string, bool): bool',
    (text: string, normalize: boolean) => tryParseVersion(text, normalize) !== undefined,
  );
  on(`compareTo(${version}): int`, (a, b) => BigInt(compareVersions(a, b)));
  on(`isLessThan(${version}): bool`, (a, b) => compareVersions(a, b) < 0);
  on(`isGreaterThan(${version}): bool`, (a, b) => compareVersions(a, b) > 0);
  on('major(): int', a => BigInt(a.major));
  on('minor(): int', a => BigInt(a.minor));
  on('patch(): int', a => BigInt(a.patch));
}
