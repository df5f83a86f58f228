import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertGolden } from '../../../test/support/golden.ts';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import type { Frontend } from '../model.ts';
import { chainScript, differenceScript, elementsOf, pickChain, tableScript } from './rules.ts';
import { createServiceTable } from './table.ts';

const golden = (name: string) => join(import.meta.dirname, 'testdata', `${name}.nft`);
const backend = (n: number) => ({ ip: `10.42.0.${n}`, port: 8080 });
const frontend = (rest: Partial<Frontend>): Frontend => ({
  ...{ family: 'ip', protocol: 'tcp', address: '10.43.0.5', port: 80, preserveSource: false, whenEmpty: 'reject' },
  backends: [backend(1), backend(2)],
  ...rest,
});
const nodePort = (rest: Partial<Frontend>): Frontend => {
  const { address: _, ...made } = frontend({ port: 30080, ...rest });
  return made;
};
const addressesOf6 = { family: 'ip6', address: 'fd00:43::5', backends: [{ ip: 'fd00:42::1', port: 8080 }] } as const;

test('the empty tables', () => {
  const options = {
    table: 't',
    podCidrs: ['10.42.0.0/16', 'fd00:42::/56'],
    serviceCidrs: ['10.43.0.0/16', 'fd00:43::/112'],
  };
  assertGolden(golden('table-ip'), tableScript('ip', options));
  assertGolden(golden('table-ip6'), tableScript('ip6', { ...options, nodePortAddresses: ['2001:db8::1'] }));
});

const shapes: Record<string, Frontend[]> = {
  'cluster-address': [frontend({})],
  'node-port': [nodePort({})],
  affinity: [frontend({ affinitySeconds: 60 }), nodePort({ affinitySeconds: 60 })],
  local: [
    frontend({ backends: [backend(1)], internalBackends: [backend(1), backend(2)], preserveSource: true }),
    nodePort({ backends: [], internalBackends: [backend(2)], preserveSource: true, whenEmpty: 'drop' }),
  ],
  empty: [
    frontend({ backends: [] }),
    frontend({ backends: [], protocol: 'udp', whenEmpty: 'drop' }),
    nodePort({ backends: [] }),
    nodePort({ backends: [], protocol: 'sctp', whenEmpty: 'drop' }),
  ],
  sources: [frontend({ address: '192.0.2.8', sources: ['198.51.100.0/24', '203.0.113.7/32'] })],
  'dual-stack': [frontend({}), frontend(addressesOf6)],
};
for (const [name, frontends] of Object.entries(shapes)) {
  test(`the elements of ${name}`, () => {
    const text = (['ip', 'ip6'] as const).flatMap(family => {
      const { elements, chains } = elementsOf(frontends, family);
      return [
        ...chains.map(chain => chainScript(family, 't', chain)),
        differenceScript(family, 't', new Map(), elements),
      ];
    });
    assertGolden(golden(name), `${text.filter(part => part !== '').join('\n')}\n`);
  });
}

test('a changed value is deleted before it is added, and equal elements are left alone', () => {
  const before = new Map([
    [
      'services',
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    ],
  ] as const);
  const after = new Map([
    [
      'services',
      new Map([
        ['a', '1'],
        ['b', '3'],
      ]),
    ],
  ] as const);
  assert.equal(
    differenceScript('ip', 't', before, after),
    'delete element ip t services { b }\nadd element ip t services { b : 3 }',
  );
  assert.equal(differenceScript('ip', 't', before, before), '');
});

test('a backend keeps its number in the affinity map while others come and go', () => {
  const identity = (...numbers: number[]) => {
    const { elements } = elementsOf([frontend({ affinitySeconds: 60, backends: numbers.map(backend) })], 'ip');
    return [...(elements.get('endpoints') ?? [])].find(([, value]) => value === '10.42.0.7 . 8080')?.[0];
  };
  assert.ok(identity(7));
  assert.equal(identity(7), identity(1, 7, 9));
  assert.equal(pickChain('masquerade', 3, 60).name, 'keep_masquerade_60_3');
});

// ---- the kernel's side, in memory --------------------------------------------------------------------------------------

/** Takes scripts as nft does: tables come and go, elements are added and deleted, what does not fit is an error. Nothing happens when one line fails. */
class FakeKernel {
  private elements = new Map<string, string>();
  private chains = new Set<string>();
  private tables = new Set<string>();
  private whole = false;
  readonly run = async (script: string): Promise<void> => {
    const before = { elements: new Map(this.elements), chains: new Set(this.chains), tables: new Set(this.tables) };
    try {
      this.whole = /^table /m.test(script);
      for (const line of script.split('\n')) this.line(line);
      this.check();
    } catch (error) {
      Object.assign(this, before);
      throw error;
    }
  };
  private line(line: string): void {
    const made = /^add table (\S+) /.exec(line)?.[1];
    if (made) this.tables.add(made);
    const table = /^delete table (\S+) /.exec(line)?.[1];
    if (table) {
      // The table's text follows its deletion: what is deleted in a script of its own stays away.
      if (!this.whole) this.tables.delete(table);
      for (const key of this.elements.keys()) if (key.startsWith(`${table} `)) this.elements.delete(key);
      for (const key of this.chains) if (key.startsWith(`${table} `)) this.chains.delete(key);
    }
    const chain = /^add chain (\S+) \S+ (\S+)$/.exec(line);
    if (chain) this.chains.add(`${chain[1]} ${chain[2]}`);
    const [, verb, family, map, list] = /^(add|delete) element (\S+) \S+ (\S+) \{ (.*) \}$/.exec(line) ?? [];
    for (const item of list?.split(', ') ?? []) {
      const [key = '', value = ''] = item.split(' : ');
      const name = `${family} ${map} ${key}`;
      if (!this.tables.has(family ?? '')) throw new Error(`no such table: ${family}`);
      if (verb === 'delete' && !this.elements.delete(name)) throw new Error(`no such element: ${name}`);
      if (verb === 'add' && (this.elements.get(name) ?? value) !== value) throw new Error(`exists: ${name}`);
      if (verb === 'add') this.elements.set(name, value);
    }
  }
  private check(): void {
    for (const [name, value] of this.elements) {
      const target = /^goto (\S+)$/.exec(value)?.[1];
      if (target && !this.chains.has(`${name.split(' ')[0]} ${target}`)) throw new Error(`no such chain: ${target}`);
    }
  }
  contents(): string[] {
    return [...this.elements].map(([key, value]) => `${key} : ${value}`).sort();
  }
}

function tableOn(kernel: FakeKernel) {
  return createServiceTable({
    ...{ table: 't', podCidrs: [], families: ['ip', 'ip6'] as const, log: silentLogger, metrics: createMetrics() },
    run: kernel.run,
  });
}

/** The frontends of service `n`: addresses are its own, backends are shared with others. */
const arbitraryFrontends = (n: number) => {
  const hosts = fc.subarray([1, 2, 3, 4, 5]);
  const one = fc.record({
    kind: fc.constantFrom('cluster', 'node', 'v6'),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
    backends: hosts,
    inside: hosts,
    preserveSource: fc.boolean(),
    affinity: fc.constantFrom(undefined, 60, 600),
    whenEmpty: fc.constantFrom('reject' as const, 'drop' as const),
    sources: fc.constantFrom(undefined, ['198.51.100.0/24'], []),
  });
  return fc.array(one, { maxLength: 3 }).map(list =>
    list.map(({ kind, inside, affinity, sources, backends, ...rest }, i): Frontend => {
      const v6 = kind === 'v6';
      const hostsOf = (numbers: number[]) =>
        numbers.map(host => (v6 ? { ip: `fd00:42::${host}`, port: 80 } : backend(host)));
      return {
        ...rest,
        ...(kind !== 'node' && { address: v6 ? `fd00:43::${n}` : `10.43.0.${n}` }),
        ...{ family: v6 ? 'ip6' : 'ip', port: n * 10 + i, backends: hostsOf(backends) },
        ...(inside.length > 0 && { internalBackends: hostsOf(inside) }),
        ...(affinity !== undefined && { affinitySeconds: affinity }),
        ...(sources && { sources }),
      };
    }),
  );
};
const arbitraryChanges = fc.array(
  fc
    .uniqueArray(fc.nat({ max: 4 }), { minLength: 1, maxLength: 3 })
    .chain(services =>
      fc.tuple(...services.map(n => arbitraryFrontends(n).map(list => [`shop/s${n}`, list] as const))),
    ),
  { maxLength: 12 },
);

test('any sequence of changes leaves the same elements as a fresh load, also when the kernel lost the table', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryChanges, fc.nat({ max: 12 }), async (sequence, lostAt) => {
      const kernel = new FakeKernel();
      const table = tableOn(kernel);
      await table.load(new Map());
      const state = new Map<string, readonly Frontend[]>();
      const last: [string, Frontend[]][] = [['shop/last', [frontend({ address: '10.43.9.9' })]]];
      const steps: readonly (readonly (readonly [string, Frontend[]])[])[] = [...sequence, last];
      for (const [i, changes] of steps.entries()) {
        if (i === lostAt) await kernel.run('delete table ip t');
        for (const [key, list] of changes) state.set(key, list);
        await table.update(new Map(changes));
      }
      const fresh = new FakeKernel();
      await tableOn(fresh).load(state);
      assert.deepEqual(kernel.contents(), fresh.contents());
    }),
    { numRuns: 200 },
  );
});

test('an address that two services ask for stays with the first and passes to the second', async () => {
  const kernel = new FakeKernel();
  const table = tableOn(kernel);
  const service = (n: number) => [frontend({ backends: [backend(n)] })];
  await table.load(new Map([['a/one', service(1)]]));
  const first = kernel.contents();
  await table.update(new Map([['a/two', service(2)]]));
  assert.deepEqual(
    kernel.contents().filter(line => line.startsWith('ip endpoints')),
    first.filter(line => line.startsWith('ip endpoints')),
  );
  await table.update(new Map([['a/one', []]]));
  const alone = new FakeKernel();
  await tableOn(alone).load(new Map([['a/two', service(2)]]));
  assert.deepEqual(kernel.contents(), alone.contents());
});
