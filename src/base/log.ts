import { type Clock, rfc3339Micro } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Record<string, unknown>;

/** Structured logging. A message is a constant sentence; what varies goes into fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** One `key=value` line per message, to `write`. */
export function lineLogger(
  clock: Clock,
  write: (line: string) => void,
  level: LogLevel = 'info',
  base: LogFields = {},
): Logger {
  const log = (at: LogLevel) => (message: string, fields?: LogFields) => {
    if (order[at] < order[level]) return;
    const pairs = Object.entries({ ...base, ...fields }).map(([k, v]) => ` ${k}=${formatField(v)}`);
    write(`${rfc3339Micro(clock.now())} ${at.toUpperCase()} ${message}${pairs.join('')}\n`);
  };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: fields => lineLogger(clock, write, level, { ...base, ...fields }),
  };
}

function formatField(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === 'string') return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? String(value);
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silentLogger };
