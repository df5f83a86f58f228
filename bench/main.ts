/**
 * `npm run bench -- NAME [--json FILE]`: runs one benchmark. Each result is a ratio to a floor measured in the same run, because machines
 * differ. Exits 0 whatever it measured.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchResult } from './result.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });
const name = positionals[0] ?? '';
const file = join(import.meta.dirname, `${name}.ts`);
if (!/^[a-z-]+$/.test(name) || !existsSync(file)) {
  const known = readdirSync(import.meta.dirname)
    .filter(f => /^[a-z-]+\.ts$/.test(f) && !['main.ts', 'result.ts'].includes(f))
    .map(f => f.slice(0, -3));
  console.error(`usage: npm run bench -- NAME [--json FILE]; benchmarks: ${known.join(', ')}`);
  process.exit(2);
}
const bench = (await import(file)) as { run(): Promise<BenchResult[]> };
const results = await bench.run();
const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model ?? '',
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
};
for (const r of results) {
  const ratio = r.ratio === undefined ? '' : `  ratio ${r.ratio.toFixed(3)}`;
  const target = r.target === undefined ? '' : `  target ${r.target}  ${r.met ? 'met' : 'NOT MET'}`;
  console.log(`${r.name.padEnd(60)} ${formatValue(r.value)} ${r.unit}${ratio}${target}`);
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ bench: name, machine, results }, null, 2)}\n`);
process.exit(0);

function formatValue(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(4)));
}
