/** Command-line flags as upstream's components take them: `--name=value`, `--name value`, `--bool`, `--bool=false`, repeatable lists. */

interface FlagBase {
  readonly help: string;
  /** One letter, e.g. "o" for -o. */
  readonly short?: string;
}
export interface StringFlag extends FlagBase {
  readonly type: 'string';
  readonly default?: string;
}
export interface NumberFlag extends FlagBase {
  readonly type: 'number';
  readonly default?: number;
}
export interface BooleanFlag extends FlagBase {
  readonly type: 'boolean';
  readonly default?: boolean;
}
/** Repeatable, and a comma separates values. */
export interface ListFlag extends FlagBase {
  readonly type: 'list';
  readonly default?: readonly string[];
}
export type Flag = StringFlag | NumberFlag | BooleanFlag | ListFlag;
export type Flags = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends { type: 'string' }
  ? F extends { default: string }
    ? string
    : string | undefined
  : F extends { type: 'number' }
    ? F extends { default: number }
      ? number
      : number | undefined
    : F extends { type: 'boolean' }
      ? boolean
      : readonly string[];
export type FlagValues<T extends Flags> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** A mistake of the person at the keyboard: printed without a stack, exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Parses `args`; throws `UsageError` for an unknown flag or a bad value. */
export function parseFlags<const T extends Flags>(
  flags: T,
  args: readonly string[],
): { values: FlagValues<T>; positionals: string[] } {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags))
    values[name] = flag.default ?? (flag.type === 'boolean' ? false : flag.type === 'list' ? [] : undefined);
  const seen = new Set<string>();
  const positionals: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (arg === '--') {
      positionals.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      positionals.push(arg);
      continue;
    }
    const equals = arg.indexOf('=');
    const written = equals < 0 ? arg : arg.slice(0, equals);
    const name = flagName(flags, written);
    const flag = name === undefined ? undefined : flags[name];
    if (name === undefined || !flag) throw new UsageError(`unknown flag: ${written}`);
    let text = equals < 0 ? undefined : arg.slice(equals + 1);
    if (text === undefined && flag.type !== 'boolean') {
      i += 1;
      text = args[i];
      if (text === undefined) throw new UsageError(`flag needs an argument: ${written}`);
    }
    const value = convert(written, flag, text);
    if (flag.type === 'list' && seen.has(name)) (values[name] as string[]).push(...(value as string[]));
    else values[name] = value;
    seen.add(name);
  }
  return { values: values as FlagValues<T>, positionals };
}

function flagName(flags: Flags, written: string): string | undefined {
  if (written.startsWith('--')) return Object.hasOwn(flags, written.slice(2)) ? written.slice(2) : undefined;
  return Object.keys(flags).find(name => `-${flags[name]?.short}` === written);
}

function convert(written: string, flag: Flag, text: string | undefined): unknown {
  if (flag.type === 'boolean') {
    if (text === undefined || text === 'true') return true;
    if (text === 'false') return false;
    throw new UsageError(`invalid argument "${text}" for "${written}": must be true or false`);
  }
  const value = text ?? '';
  if (flag.type === 'number') {
    const number = Number(value);
    if (value === '' || !Number.isFinite(number))
      throw new UsageError(`invalid argument "${value}" for "${written}": must be a number`);
    return number;
  }
  if (flag.type === 'list') return value === '' ? [] : value.split(',');
  return value;
}

/** The flags part of a help page. */
export function describeFlags(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => {
    const value =
      flag.type === 'boolean' ? '' : `=${flag.type === 'list' ? 'A,B' : flag.type === 'number' ? 'N' : 'TEXT'}`;
    const fallback =
      flag.default === undefined || flag.default === false || flag.default === ''
        ? ''
        : ` (default ${String(flag.default)})`;
    return [`  ${flag.short ? `-${flag.short}, ` : ''}--${name}${value}`, `${flag.help}${fallback}`] as const;
  });
  const width = Math.max(0, ...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `${left.padEnd(width)}${right}`).join('\n');
}
