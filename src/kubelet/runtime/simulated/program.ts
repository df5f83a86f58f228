/**
 * What a simulated container does, from its command: the few shell words that tests use. Anything else runs for ever, as a server does.
 *
 * Understood, separated by `;` or `&&`, directly or after `sh -c`: `sleep N`, `exit N`, `true`, `false`, `echo …`.
 */
export interface Program {
  /** Steps before the end. */
  readonly steps: readonly { readonly afterMs: number; readonly print?: string }[];
  /** Milliseconds from the start to the end; undefined: it never ends by itself. */
  readonly runsMs: number | undefined;
  readonly exitCode: number;
}

const forever: Program = { steps: [], runsMs: undefined, exitCode: 0 };

export function parseProgram(command: readonly string[]): Program {
  const script = scriptOf(command);
  if (script === undefined) return forever;
  const steps: { afterMs: number; print?: string }[] = [];
  let at = 0;
  for (const part of script.split(/\s*(?:;|&&|\n)\s*/).filter(Boolean)) {
    const [word = '', ...rest] = part.trim().split(/\s+/);
    const value = rest[0] ?? '';
    if (word === 'sleep') {
      if (value === 'infinity') return { steps, runsMs: undefined, exitCode: 0 };
      at += secondsOf(value) * 1000;
    } else if (word === 'echo') steps.push({ afterMs: at, print: rest.join(' ').replace(/^(['"])(.*)\1$/, '$2') });
    else if (word === 'exit') return { steps, runsMs: at, exitCode: Number(value) || 0 };
    else if (word === 'false') return { steps, runsMs: at, exitCode: 1 };
    else if (word !== 'true' && word !== ':') return { steps, runsMs: undefined, exitCode: 0 };
  }
  return { steps, runsMs: at, exitCode: 0 };
}

function secondsOf(text: string): number {
  const match = /^([\d.]+)([smhd]?)$/.exec(text);
  const unit = { s: 1, m: 60, h: 3600, d: 86400 }[match?.[2] || 's'] ?? 1;
  return match ? Number(match[1]) * unit : 0;
}

const words = new Set(['sleep', 'exit', 'true', 'false', 'echo', ':']);

function scriptOf(command: readonly string[]): string | undefined {
  const name = command[0]?.split('/').pop() ?? '';
  if ((name === 'sh' || name === 'bash') && command[1] === '-c') return command[2] ?? '';
  return words.has(name) ? [name, ...command.slice(1)].join(' ') : undefined;
}
