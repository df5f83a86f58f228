/** What every process tells about itself, under the names of Prometheus' client libraries. */
import { readdirSync, readFileSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import type { Metrics } from '../../base/metrics.ts';

/** Undefined where there is no /proc, or not this. */
function procFact<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

const pageSize = 4096;
const virtualMemory = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ', 1)[0]) * pageSize;
const openFiles = () => readdirSync('/proc/self/fd').length;
const maxFiles = () => Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);

export function tellOfProcess(metrics: Metrics): void {
  const started = systemClock.now() / 1_000 - process.uptime();
  metrics.gauge('process_start_time_seconds', 'When the process started, since 1970.').set(started);
  const cpu = metrics.counter('process_cpu_seconds_total', 'CPU time, of the user and the system.');
  const gauges = [
    [metrics.gauge('process_resident_memory_bytes', 'Resident memory.'), () => process.memoryUsage.rss()],
    [metrics.gauge('process_virtual_memory_bytes', 'Virtual memory.'), virtualMemory],
    [metrics.gauge('process_open_fds', 'Open file descriptors.'), openFiles],
    [metrics.gauge('process_max_fds', 'File descriptors that may be open.'), maxFiles],
  ] as const;
  metrics.onCollect(() => {
    const { user, system } = process.cpuUsage();
    cpu.inc(undefined, (user + system) / 1e6 - cpu.value());
    for (const [gauge, read] of gauges) {
      const value = procFact(read);
      if (value !== undefined && Number.isFinite(value)) gauge.set(value);
    }
  });
}
