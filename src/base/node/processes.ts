/** Other processes of this machine. */
import { existsSync, readFileSync } from 'node:fs';

/** State and what follows it, of `/proc/PID/stat`: after the name, which may hold anything. Undefined when there is no such process. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Ended, but still in the table: the first process of a container often reaps nobody whom it did not start. */
const isZombie = (stat: readonly string[]) => stat[0] === 'Z' || stat[0] === 'X';

/** False from the moment the process has ended, reaped or not. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  if (stat) return !isZombie(stat);
  if (existsSync('/proc/self/stat')) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** When the process began, in clock ticks since boot: a pid that was used again has another. Undefined on hosts without /proc. */
export const startTicks = (pid: number): string | undefined => statOf(pid)?.[19];
