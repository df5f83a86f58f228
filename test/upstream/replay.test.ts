/**
 * Our API server against the original's recorded answers: the same requests, and the answers may differ only where `known.ts` says so.
 * `UPDATE_GOLDEN=1 TSUKUBE_UPSTREAM=build npm test -- upstream/replay` asks the original again.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Transport } from '../../src/api/transport.ts';
import { startOriginal } from '../support/original/server.ts';
import { compare, type Difference, type Exchange, record, type Scenario } from './exchange.ts';
import { kinds } from './kinds.ts';
import { known, matches } from './known.ts';
import { patches } from './patches.ts';
import { protocol } from './protocol.ts';
import { subresources } from './subresources.ts';
import { startOurs } from './targets.ts';

const suites: Readonly<Record<string, readonly Scenario[]>> = { protocol, kinds, patches, subresources };
const folder = join(import.meta.dirname, 'recorded');
const file = (suite: string) => join(folder, `${suite}.jsonl`);

/** One answer per line, so that a change of one shows as a change of one line. Bodies of requests are in the scenarios. */
function write(suite: string, exchanges: readonly Exchange[]): void {
  mkdirSync(folder, { recursive: true });
  const lines = exchanges.map(({ scenario, request: { method, target }, answer }) =>
    JSON.stringify({ scenario, request: { method, target }, answer }),
  );
  writeFileSync(file(suite), `${lines.join('\n')}\n`);
}

function read(suite: string): Map<string, Exchange[]> {
  const lines = readFileSync(file(suite), 'utf8').trimEnd().split('\n');
  return Map.groupBy(
    lines.map(line => JSON.parse(line) as Exchange),
    exchange => exchange.scenario,
  );
}

async function recordAll(transport: Transport): Promise<void> {
  for (const [suite, scenarios] of Object.entries(suites)) {
    const all: Exchange[] = [];
    for (const [i, scenario] of scenarios.entries()) all.push(...(await record(transport, scenario, `${suite}-${i}`)));
    write(suite, all);
  }
}

const shown = ({ request, at, original, ours }: Difference) =>
  [
    `${request.method} ${request.target}`,
    `  ${at}`,
    `  original: ${JSON.stringify(original)?.slice(0, 600)}`,
    `  ours:     ${JSON.stringify(ours)?.slice(0, 600)}`,
  ].join('\n');

describe('the original, recorded, and ours', () => {
  let ours: Awaited<ReturnType<typeof startOurs>>;
  const used = new Set<number>();
  const recording = process.env['UPDATE_GOLDEN'] === '1';
  before(async () => {
    if (recording) {
      const original = await startOriginal();
      if ('missing' in original) throw new Error(original.missing);
      await recordAll(original.connect()).finally(() => original.close());
    }
    ours = await startOurs();
  });
  after(() => ours.close());

  for (const [suite, scenarios] of Object.entries(suites))
    for (const [i, scenario] of scenarios.entries())
      it(`${suite}: ${scenario.name}`, async () => {
        const recorded = read(suite).get(scenario.name) ?? [];
        const got = await record(ours.transport, scenario, `${suite}-${i}`);
        const asked = (list: readonly Exchange[]) => list.map(({ request }) => `${request.method} ${request.target}`);
        assert.deepEqual(asked(got), asked(recorded), 'the requests changed: record the answers again');
        const unknown = got.flatMap((exchange, at) =>
          compare(recorded[at] as Exchange, exchange).filter(difference => {
            const rule = known.findIndex(one => matches(one, difference));
            used.add(rule);
            return rule < 0;
          }),
        );
        assert.equal(unknown.length, 0, `${unknown.length} differences:\n${unknown.map(shown).join('\n')}`);
      });

  it('no rule about differences is left over', { skip: !recording && 'asked when answers are recorded' }, () => {
    const idle = known.filter((_, i) => !used.has(i)).map(({ at, why }) => `${at}: ${why}`);
    assert.deepEqual(idle, []);
  });
});
