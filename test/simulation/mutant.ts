/** Runs one mutant: `node test/simulation/mutant.ts NAME SEED [LAST_SEED]`. Prints JSON; what is mutated is only this process's copy. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { mutants } from './mutants.ts';

const [, , name, first = '1', last = first] = process.argv;
const mutant = mutants.find(one => one.name === name);
if (!mutant) throw new Error(`no mutant "${name}"`);
const target = new URL(`../../src/${mutant.file}`, import.meta.url).href;
if (readFileSync(fileURLToPath(target), 'utf8').split(mutant.find).length !== 2)
  throw new Error(`${mutant.file} does not hold exactly once: ${mutant.find}`);

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (url !== target) return loaded;
    const source = readFileSync(fileURLToPath(target), 'utf8').replace(mutant.find, () => mutant.replace);
    return { ...loaded, source };
  },
});

const { defaultActions, simulate } = await import('../../src/testing/simulation/index.ts');
const { storageOf } = await import('./seeds.ts');
const { likes } = mutant;
const unknown = likes?.find(like => !defaultActions.some(({ name }) => name === like));
if (unknown) throw new Error(`no action "${unknown}"`);
const day = likes && { swarm: false, actions: defaultActions.filter(({ name }) => likes.includes(name)) };
const began = performance.now();
for (let seed = Number(first); seed <= Number(last); seed++) {
  const { findings } = await simulate({ seed, storage: storageOf(seed), settleMs: 300_000, ...day, ...mutant.options });
  if (findings.length === 0) continue;
  process.stdout.write(`${JSON.stringify({ seed, ms: Math.round(performance.now() - began), findings })}\n`);
  process.exit(0);
}
process.stdout.write(`${JSON.stringify({ findings: [] })}\n`);
