export type Labels = Record<string, string>;
export interface Counter {
  inc(labels?: Labels, by?: number): void;
  value(labels?: Labels): number;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
  add(by: number, labels?: Labels): void;
  value(labels?: Labels): number;
  remove(labels?: Labels): void;
  /** Forgets all series. */
  clear(): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
  count(labels?: Labels): number;
}

/** Metrics of one component, written in Prometheus's text format. Asking twice for a name gives the same metric. */
export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  histogram(name: string, help: string, buckets?: readonly number[]): Histogram;
  /** Called before each exposition, to set gauges that are derived. */
  onCollect(fn: () => void): void;
  text(): string;
}

const defaultBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

interface Family {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  series: Map<string, number>;
  handle: Counter | Gauge | Histogram;
}

/** Label sets that are frozen are used again and again: their text is kept. */
const keysOfFrozen = new WeakMap<Labels, string>();

function seriesKey(labels?: Labels): string {
  if (!labels) return '';
  if (!Object.isFrozen(labels)) return keyText(labels);
  let key = keysOfFrozen.get(labels);
  if (key === undefined) {
    key = keyText(labels);
    keysOfFrozen.set(labels, key);
  }
  return key;
}

function keyText(labels: Labels): string {
  return Object.keys(labels)
    .sort()
    .map(k => `${k}="${(labels[k] ?? '').replace(/[\\"\n]/g, c => (c === '\n' ? '\\n' : `\\${c}`))}"`)
    .join(',');
}

export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const collectors: (() => void)[] = [];
  function family<T extends Counter | Gauge | Histogram>(
    name: string,
    help: string,
    type: Family['type'],
    make: (series: Map<string, number>) => T,
  ): T {
    const known = families.get(name);
    if (known) {
      if (known.type !== type) throw new Error(`metric ${name} is a ${known.type}`);
      return known.handle as T;
    }
    const series = new Map<string, number>();
    const handle = make(series);
    families.set(name, { type, help, series, handle });
    return handle;
  }
  const bump = (series: Map<string, number>, key: string, by: number) => series.set(key, (series.get(key) ?? 0) + by);
  return {
    counter: (name, help) =>
      family<Counter>(name, help, 'counter', series => ({
        inc: (labels, by = 1) => bump(series, seriesKey(labels), by),
        value: labels => series.get(seriesKey(labels)) ?? 0,
      })),
    gauge: (name, help) =>
      family<Gauge>(name, help, 'gauge', series => ({
        set: (value, labels) => series.set(seriesKey(labels), value),
        add: (by, labels) => bump(series, seriesKey(labels), by),
        value: labels => series.get(seriesKey(labels)) ?? 0,
        remove: labels => series.delete(seriesKey(labels)),
        clear: () => series.clear(),
      })),
    histogram: (name, help, buckets = defaultBuckets) =>
      family<Histogram>(name, help, 'histogram', series => {
        const states = new Map<string, { counts: number[]; sum: number; count: number }>();
        // Cumulative counts are made when somebody looks.
        collectors.push(() => {
          for (const [key, { counts, sum, count }] of states) {
            const sep = key ? ',' : '';
            let below = 0;
            buckets.forEach((le, i) => {
              below += counts[i] ?? 0;
              series.set(`_bucket|${key}${sep}le="${le}"`, below);
            });
            series.set(`_bucket|${key}${sep}le="+Inf"`, count);
            series.set(`_sum|${key}`, sum);
            series.set(`_count|${key}`, count);
          }
        });
        return {
          observe(value, labels) {
            const key = seriesKey(labels);
            let state = states.get(key);
            if (!state) {
              state = { counts: buckets.map(() => 0), sum: 0, count: 0 };
              states.set(key, state);
            }
            state.sum += value;
            state.count += 1;
            const at = buckets.findIndex(le => value <= le);
            if (at >= 0) state.counts[at] = (state.counts[at] ?? 0) + 1;
          },
          count: labels => states.get(seriesKey(labels))?.count ?? 0,
        };
      }),
    onCollect: fn => collectors.push(fn),
    text() {
      for (const fn of collectors) fn();
      const out: string[] = [];
      for (const [name, { type, help, series }] of families) {
        out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
        for (const [key, value] of series) {
          const [suffix, labels] = type === 'histogram' ? (key.split('|') as [string, string]) : ['', key];
          out.push(`${name}${suffix}${labels ? `{${labels}}` : ''} ${value}`);
        }
      }
      return `${out.join('\n')}\n`;
    },
  };
}
