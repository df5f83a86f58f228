/**
 * Our API server against the original's recorded answers: the same requests, and the answers may differ only where `known.ts` says so.
 * `UPDATE_GOLDEN=1 TSUKUBE_UPSTREAM_BIN=DIR npm test -- upstream/replay` asks the original again.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Transport } from '../../src/api/transport.ts';
import { createClient } from '../../src/client/index.ts';
import { startOriginal } from '../support/original/server.ts';
import { compare, type Difference, type Exchange, record, type Scenario } from './exchange.ts';
import { type Description, essential, generate, generated } from './generated.ts';
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
  const lines = exchanges.map(({ scenario, request: { method, target, body }, answer }) =>
    JSON.stringify({ scenario, request: { method, target, ...(suite === 'generated' && { body }) }, answer }),
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
  const description = await createClient(transport).request<Description>('GET', '/openapi/v2');
  const made = generated(generate(description, seed, perKind));
  write('generated', (await record(transport, made, 'generated')).map(essential));
}

/** Changes of each kind's sample, from this seed. */
const perKind = 20;
const seed = 1;

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

  function assertKnown(pairs: readonly (readonly [Exchange, Exchange])[]): void {
    const unknown = pairs
      .flatMap(([original, own]) => compare(original, own))
      .filter(difference => {
        const rule = known.findIndex(one => matches(one, difference));
        used.add(rule);
        return rule < 0;
      });
    assert.equal(unknown.length, 0, `${unknown.length} differences:\n${unknown.map(shown).join('\n')}`);
  }

  for (const [suite, scenarios] of Object.entries(suites))
    for (const [i, scenario] of scenarios.entries())
      it(`${suite}: ${scenario.name}`, async () => {
        const recorded = read(suite).get(scenario.name) ?? [];
        const got = await record(ours.transport, scenario, `${suite}-${i}`);
        const asked = (list: readonly Exchange[]) => list.map(({ request }) => `${request.method} ${request.target}`);
        assert.deepEqual(asked(got), asked(recorded), 'the requests changed: record the answers again');
        assertKnown(got.map((exchange, at) => [recorded[at] as Exchange, exchange]));
      });

  it('generated objects', async () => {
    const recorded = read('generated').get('generated objects') ?? [];
    const cases = recorded.map(({ request: { target, body } }) => ({ target, body: body as object }));
    const got = (await record(ours.transport, generated(cases), 'generated')).map(essential);
    assertKnown(got.map((exchange, at) => [recorded[at] as Exchange, exchange]));
  });

  it('no rule about differences is left over', { skip: !recording && 'asked when answers are recorded' }, () => {
    const idle = known.filter((_, i) => !used.has(i)).map(({ at, why }) => `${at}: ${why}`);
    assert.deepEqual(idle, []);
  });
});
