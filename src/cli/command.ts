import type { Flags, FlagValues } from './flags.ts';

/** One command: its flags and what it does. Resolves to the exit code (0 when it resolves to nothing). */
export interface Command<T extends Flags = Flags> {
  readonly flags: T;
  /** What stands after the command's name in its help. */
  readonly usage?: string;
  // biome-ignore lint/suspicious/noConfusingVoidType: most commands end without a code of their own
  run(values: FlagValues<T>, positionals: string[]): Promise<number | void>;
}

/** Keeps the flags' types. */
export function command<const T extends Flags>(definition: Command<T>): Command<T> {
  return definition;
}

export interface CommandEntry {
  readonly name: string;
  readonly section: string;
  readonly summary: string;
  load(): Promise<Command<never> | Command>;
}
