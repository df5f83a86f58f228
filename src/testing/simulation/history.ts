/** What happened, as a fingerprint of every byte and as the last lines for a human. */
import type { Clock } from '../../base/clock.ts';

export interface History {
  /** Adds one event. The parts go into the fingerprint; the line is kept for the report when `line` says so. */
  note(parts: readonly (string | number | Uint8Array)[]): void;
  /** A line of the story: what the simulation did, and what was found. Also part of the fingerprint. */
  tell(text: string): void;
  /** 16 hex digits over everything noted so far. */
  fingerprint(): string;
  readonly events: number;
  readonly story: readonly string[];
}

/** FNV-1a in two lanes with different bases: not cryptographic, but any difference shows. */
function createFingerprint() {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  const byte = (value: number) => {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b ^ value, 0x5bd1e995);
    b ^= b >>> 15;
  };
  return {
    add(part: string | number | Uint8Array): void {
      if (typeof part === 'number' || typeof part === 'string') {
        const text = String(part);
        for (let i = 0; i < text.length; i++) byte(text.charCodeAt(i));
      } else for (const value of part) byte(value);
      byte(0x1ff);
    },
    hex: () => [a, b].map(word => (word >>> 0).toString(16).padStart(8, '0')).join(''),
  };
}

export function createHistory(clock: Clock, onLine?: (line: string) => void): History {
  const print = createFingerprint();
  const story: string[] = [];
  let events = 0;
  const note = (parts: readonly (string | number | Uint8Array)[]) => {
    events += 1;
    print.add(clock.monotonic());
    for (const part of parts) print.add(part);
  };
  return {
    note,
    tell(text) {
      note([text]);
      const line = `${(clock.monotonic() / 1000).toFixed(3).padStart(10)} s  ${text}`;
      story.push(line);
      onLine?.(line);
    },
    fingerprint: print.hex,
    get events() {
      return events;
    },
    story,
  };
}
