/**
 * Resource quantities (`100m`, `1.5Gi`, `1e3`), as k8s.io/apimachinery/pkg/api/resource: fixed-point numbers with nine decimals,
 * rounded away from zero on parse, in one of three written forms.
 */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The value in units of 10⁻⁹. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
  /** The text as it was read, when upstream would write it back unchanged. */
  readonly text?: string;
}

/** A parsed quantity, its text, or a JSON number. */
export type QuantityLike = Quantity | string | number;

/** The text is not a quantity. Messages are upstream's. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const formatWrong = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const suffixWrong = "unable to parse quantity's suffix";

const NANO = 1_000_000_000n;
const MILLI = 1_000_000n;
const maxBinary = (1n << 63n) - 1n;
const maxInt64 = (1n << 63n) - 1n;
/** Longest numeric part that is read, and largest exponent; far beyond any real quantity, and cheap to compute. */
const maxDigits = 4096;
const maxExponent = 1000;

const decimalSuffixes: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const decimalNames: ReadonlyMap<number, string> = new Map([...decimalSuffixes].map(([name, exp]) => [exp, name]));
const binaryNames = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

interface Suffix {
  readonly base: 2 | 10;
  readonly exponent: number;
  readonly format: QuantityFormat;
}

function interpretSuffix(suffix: string): Suffix {
  const decimal = decimalSuffixes.get(suffix);
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: 'DecimalSI' };
  const binary = binaryNames.indexOf(suffix);
  if (binary > 0) return { base: 2, exponent: binary * 10, format: 'BinarySI' };
  if (/^[eE][-+]?[0-9]+$/.test(suffix)) {
    const exponent = Number(suffix.slice(1));
    if (Math.abs(exponent) <= maxExponent) return { base: 10, exponent, format: 'DecimalExponent' };
  }
  throw new QuantityError(suffixWrong);
}

const shape = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/;

/** @throws QuantityError */
export function parseQuantity(input: QuantityLike): Quantity {
  if (typeof input === 'object') return input;
  const text = typeof input === 'number' ? String(input) : input;
  if (text === '') throw new QuantityError(formatWrong);
  if (text.length > maxDigits) throw new QuantityError('unable to parse numeric part of quantity');
  const match = shape.exec(text);
  if (!match) throw new QuantityError(formatWrong);
  const [, sign, whole = '', denom = '', suffixText = ''] = match;
  if (suffixText === '' && match[2] === '' && match[3] === undefined && sign === '')
    throw new QuantityError(formatWrong);
  const suffix = interpretSuffix(suffixText);
  const num = whole.replace(/^0+/, '') || '0';
  const unscaled = BigInt(num + denom);
  const exact = magnitude(unscaled, denom.length, suffix);
  const nano = suffix.format === 'BinarySI' && exact > maxBinary * NANO ? maxBinary * NANO : exact;
  const format =
    suffix.format === 'BinarySI' && !isQuick(num, denom, suffix, unscaled) && nano > 0n && nano < NANO
      ? 'DecimalSI'
      : suffix.format;
  const signed = sign === '-' ? -nano : nano;
  return keepsText(num, denom, suffix, unscaled) ? { nano: signed, format, text } : { nano: signed, format };
}

/** unscaled × 10^-decimals × suffix in nanos, rounded up. */
function magnitude(unscaled: bigint, decimals: number, suffix: Suffix): bigint {
  if (suffix.base === 2) return divideUp((unscaled << BigInt(suffix.exponent)) * NANO, 10n ** BigInt(decimals));
  const shift = suffix.exponent + 9 - decimals;
  return shift >= 0 ? unscaled * 10n ** BigInt(shift) : divideUp(unscaled, 10n ** BigInt(-shift));
}

function divideUp(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return quotient * by === value ? quotient : quotient + 1n;
}

/** Upstream's path over int64, which is where texts are kept. */
function isQuick(num: string, denom: string, suffix: Suffix, unscaled: bigint): boolean {
  if (suffix.base === 10) {
    return num.length + denom.length <= 18 && suffix.exponent - denom.length >= -9;
  }
  if (denom.length > 0) return false;
  const precision = 15 - num.length - Math.floor((suffix.exponent * 3) / 10) - 1;
  return precision >= 0 && unscaled << BigInt(suffix.exponent) <= maxInt64;
}

function keepsText(num: string, denom: string, suffix: Suffix, unscaled: bigint): boolean {
  if (!isQuick(num, denom, suffix, unscaled)) return false;
  if (suffix.base === 2) return (unscaled & 7n) !== 0n;
  const digits = num + denom;
  return (suffix.exponent - denom.length) % 3 === 0 && !digits.endsWith('000') && !digits.startsWith('0');
}

/** The parsed quantity, or undefined when the text is not one. */
export function tryParseQuantity(input: unknown): Quantity | undefined {
  if (typeof input !== 'string' && typeof input !== 'number') return undefined;
  try {
    return parseQuantity(input);
  } catch {
    return undefined;
  }
}

/** As upstream writes it: the kept text, else the canonical form. */
export function formatQuantity(quantity: QuantityLike): string {
  const parsed = parseQuantity(quantity);
  return parsed.text ?? canonicalForm(parsed);
}

/** The text a server stores for `input`; blanks around it are dropped, as when upstream decodes JSON. @throws QuantityError */
export function canonicalQuantity(input: string | number): string {
  if (typeof input === 'string' && /^[1-9][0-9]{0,2}(?:m|[kMGTPE])?$/.test(input)) return input;
  return formatQuantity(typeof input === 'string' ? input.trim() : input);
}

/** No precision is lost, no fractional digits are written, and the exponent (suffix) is as large as possible. */
function canonicalForm({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  if (format === 'BinarySI') {
    const small = nano > -1024n * NANO && nano < 1024n * NANO;
    if (!small && nano % NANO === 0n) return binaryForm(nano / NANO);
    return decimalForm(nano, 'DecimalSI');
  }
  return decimalForm(nano, format);
}

function binaryForm(value: bigint): string {
  let power = 0;
  let rest = value;
  while (power < 6 && (rest & 1023n) === 0n) {
    rest >>= 10n;
    power++;
  }
  return `${rest}${binaryNames[power]}`;
}

function decimalForm(nano: bigint, format: QuantityFormat): string {
  let rest = nano;
  let exponent = -9;
  while (rest % 1000n === 0n) {
    rest /= 1000n;
    exponent += 3;
  }
  if (format === 'DecimalExponent') return exponent === 0 ? String(rest) : `${rest}e${exponent}`;
  const name = decimalNames.get(exponent);
  return name === undefined ? `${rest}e${exponent}` : `${rest}${name}`;
}

/** -1, 0 or 1. */
export function compareQuantity(a: QuantityLike, b: QuantityLike): -1 | 0 | 1 {
  const left = parseQuantity(a).nano;
  const right = parseQuantity(b).nano;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The result is written in the first operand's format, or the second's when the first is zero. */
export function addQuantity(a: QuantityLike, b: QuantityLike): Quantity {
  const left = parseQuantity(a);
  const right = parseQuantity(b);
  return { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format };
}

export function subQuantity(a: QuantityLike, b: QuantityLike): Quantity {
  const left = parseQuantity(a);
  const right = parseQuantity(b);
  return { nano: left.nano - right.nano, format: left.nano === 0n ? right.format : left.format };
}

export function negQuantity(a: QuantityLike): Quantity {
  const { nano, format } = parseQuantity(a);
  return { nano: -nano, format };
}

/** `by` is an integer. */
export function mulQuantity(a: QuantityLike, by: number | bigint): Quantity {
  const { nano, format } = parseQuantity(a);
  return { nano: nano * BigInt(by), format };
}

export function isZeroQuantity(a: QuantityLike): boolean {
  return parseQuantity(a).nano === 0n;
}

/** -1, 0 or 1. */
export function signOfQuantity(a: QuantityLike): -1 | 0 | 1 {
  const { nano } = parseQuantity(a);
  return nano < 0n ? -1 : nano > 0n ? 1 : 0;
}

function roundAway(nano: bigint, unit: bigint): bigint {
  return nano < 0n ? -divideUp(-nano, unit) : divideUp(nano, unit);
}

const quickNumber = /^([0-9]{1,12})(m|[kMG]|[KMGT]i)?$/;
const quickMultiplier: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Whole units, rounded away from zero (upstream's Value()): bytes of memory, counts. Exact up to 2^53. */
export function unitsOf(a: QuantityLike): number {
  const quick = typeof a === 'string' ? quickNumber.exec(a) : null;
  if (quick) {
    const digits = Number(quick[1]);
    const suffix = quick[2];
    if (suffix === 'm') return Math.ceil(digits / 1000);
    const units = suffix === undefined ? digits : digits * (quickMultiplier[suffix] ?? 1);
    // Beyond this the product may be rounded, and binary forms are capped.
    if (units <= Number.MAX_SAFE_INTEGER) return units;
  }
  return Number(roundAway(parseQuantity(a).nano, NANO));
}

/** Thousandths, rounded away from zero (upstream's MilliValue()): CPU. Exact up to 2^53. */
export function milliValueOf(a: QuantityLike): number {
  const quick = typeof a === 'string' ? quickNumber.exec(a) : null;
  if (quick && (quick[2] === undefined || quick[2] === 'm')) {
    return quick[2] === 'm' ? Number(quick[1]) : Number(quick[1]) * 1000;
  }
  return Number(roundAway(parseQuantity(a).nano, MILLI));
}

/** The nearest double, fractions included. */
export function floatOf(a: QuantityLike): number {
  const { nano } = parseQuantity(a);
  const whole = nano / NANO;
  return Number(whole) + Number(nano - whole * NANO) / 1e9;
}

/** A quantity of `value` whole units, which must be an integer. */
export function quantityOf(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  return { nano: BigInt(value) * NANO, format };
}

/** A quantity of `value` thousandths, which must be an integer. */
export function milliQuantityOf(value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  return { nano: BigInt(value) * MILLI, format };
}

/** The value in whole units when it is one and fits an int64; else undefined. */
export function integerOf(a: QuantityLike): bigint | undefined {
  const { nano } = parseQuantity(a);
  if (nano % NANO !== 0n) return undefined;
  const whole = nano / NANO;
  return whole <= maxInt64 && whole >= -maxInt64 - 1n ? whole : undefined;
}
