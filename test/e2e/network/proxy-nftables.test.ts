/** The service table in a real kernel: namespaces stand for a node and its pods. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import type { Frontend } from '../../../src/proxy/model.ts';
import { createServiceTable, type ServiceTable } from '../../../src/proxy/nftables/table.ts';
import { createPodNetwork, type PodNetwork } from '../../support/netns.ts';

const support = join(import.meta.dirname, '..', '..', 'support');
const root = process.getuid?.() === 0;
const podIp = (i: number) => `10.88.0.${i + 2}`;
const backends = (...pods: number[]) => pods.map(i => ({ ip: podIp(i), port: 8080 }));
const tcp = (port: number, rest: Partial<Frontend>): Frontend => ({
  family: 'ip',
  protocol: 'tcp',
  port,
  backends: [],
  preserveSource: false,
  whenEmpty: 'reject',
  ...rest,
});

describe('nftables service table', { skip: root ? false : 'needs root for network namespaces' }, () => {
  let network: PodNetwork;
  let table: ServiceTable;
  before(async () => {
    network = await createPodNetwork(4);
    table = createServiceTable({
      table: 'tsukube-test',
      podCidrs: ['10.88.0.0/24'],
      families: ['ip', 'ip6'],
      log: silentLogger,
      metrics: createMetrics(),
      run: script => network.host.nft(script),
    });
    for (const i of [0, 1, 2])
      await network.pods[i]?.start(process.execPath, join(support, 'echo-server.ts'), `pod${i}`, '8080');
    await table.load(new Map());
  });
  after(async () => network?.remove());

  async function ask(
    from: 'host' | number,
    address: string,
    port: number,
    times = 1,
    protocol = 'tcp',
  ): Promise<string[]> {
    const namespace = from === 'host' ? network.host : network.pods[from];
    assert.ok(namespace);
    const out = await namespace.run(
      process.execPath,
      join(support, 'ask.ts'),
      address,
      String(port),
      String(times),
      protocol,
    );
    return out.trim().split('\n');
  }
  const names = (answers: string[]) => [...new Set(answers.map(a => a.split(' ')[0]))].sort();

  test('spreads connections from pods and from the node over all backends', async () => {
    await table.update(new Map([['a/web', [tcp(80, { address: '10.99.0.1', backends: backends(0, 1, 2) })]]]));
    assert.deepEqual(names(await ask(3, '10.99.0.1', 80, 40)), ['pod0', 'pod1', 'pod2']);
    assert.deepEqual(names(await ask('host', '10.99.0.1', 80, 40)), ['pod0', 'pod1', 'pod2']);
  });

  test('keeps the address of a pod that calls a service, and lets a pod reach itself', async () => {
    await table.update(new Map([['a/self', [tcp(80, { address: '10.99.0.2', backends: backends(0) })]]]));
    assert.deepEqual(await ask(3, '10.99.0.2', 80), [`pod0 ${podIp(3)}`]);
    assert.deepEqual(names(await ask(0, '10.99.0.2', 80)), ['pod0']);
  });

  test('follows endpoints that come and go, and refuses when there is none', async () => {
    const service = (...pods: number[]) =>
      new Map([['a/move', [tcp(81, { address: '10.99.0.3', backends: backends(...pods) })]]]);
    await table.update(service(0, 1));
    await table.update(service(1));
    assert.deepEqual(names(await ask(3, '10.99.0.3', 81, 10)), ['pod1']);
    await table.update(service());
    assert.deepEqual(await ask(3, '10.99.0.3', 81), ['ECONNREFUSED']);
    assert.deepEqual(await ask('host', '10.99.0.3', 81), ['ECONNREFUSED']);
    await table.update(service(2));
    assert.deepEqual(names(await ask(3, '10.99.0.3', 81, 5)), ['pod2']);
  });

  test('forwards UDP', async () => {
    await table.update(
      new Map([['a/udp', [tcp(53, { address: '10.99.0.4', protocol: 'udp', backends: backends(1) })]]]),
    );
    assert.deepEqual(await ask(3, '10.99.0.4', 53, 3, 'udp'), Array(3).fill(`pod1 ${podIp(3)}`));
  });

  test('session affinity keeps a client with its backend', async () => {
    await table.update(
      new Map([['a/keep', [tcp(80, { address: '10.99.0.5', backends: backends(0, 1, 2), affinitySeconds: 60 })]]]),
    );
    assert.equal(names(await ask(3, '10.99.0.5', 80, 20)).length, 1);
    assert.equal(names(await ask('host', '10.99.0.5', 80, 20)).length, 1);
    const remembered = await network.host.run('nft', 'list', 'map', 'ip', 'tsukube-test', 'affinity');
    assert.match(remembered, new RegExp(`${podIp(3)} \\. 10\\.99\\.0\\.5 \\. tcp \\. 80 timeout 1m expires \\d`));
  });

  test('session affinity ends with its time', async () => {
    const service = (seconds: number) =>
      new Map([
        ['a/short', [tcp(80, { address: '10.99.0.8', backends: backends(0, 1, 2), affinitySeconds: seconds })]],
      ]);
    await table.update(service(1));
    const heard = new Set<string>();
    for (let i = 0; i < 20 && heard.size < 2; i++) {
      for (const name of names(await ask(3, '10.99.0.8', 80))) heard.add(name ?? '');
      let left = 'expires';
      for (let look = 0; look < 500 && left.includes('expires'); look++) {
        const map = await network.host.run('nft', 'list', 'map', 'ip', 'tsukube-test', 'affinity');
        left = map
          .split(',')
          .filter(entry => entry.includes('10.99.0.8'))
          .join();
      }
    }
    assert.ok(heard.size >= 2, 'a client that comes back late is drawn anew');
  });

  test('session affinity finds another backend when its own is gone', async () => {
    const service = (...pods: number[]) =>
      new Map([['a/stick', [tcp(80, { address: '10.99.0.6', backends: backends(...pods), affinitySeconds: 60 })]]]);
    await table.update(service(0, 1, 2));
    await ask(3, '10.99.0.6', 80, 5);
    for (const left of [[0, 1], [1, 2], [0, 2], [0, 1], [0], [1], [2]]) {
      await table.update(service(...left));
      const answers = await ask(3, '10.99.0.6', 80, 5);
      assert.equal(names(answers).length, 1, answers.join());
      assert.ok(left.includes(Number(names(answers)[0]?.slice(3))), answers.join());
    }
  });

  test('node ports answer on every address of the node', async () => {
    await table.update(new Map([['a/port', [tcp(30080, { backends: backends(0, 1) })]]]));
    assert.deepEqual(names(await ask(3, '10.88.0.1', 30080, 20)), ['pod0', 'pod1']);
    assert.deepEqual(names(await ask('host', '10.88.0.1', 30080, 20)), ['pod0', 'pod1']);
  });

  test('only permitted sources reach a restricted frontend', async () => {
    await table.update(
      new Map([['a/lb', [tcp(80, { address: '10.99.0.7', backends: backends(0), sources: [`${podIp(3)}/32`] })]]]),
    );
    assert.deepEqual(names(await ask(3, '10.99.0.7', 80)), ['pod0']);
    assert.deepEqual(await ask(1, '10.99.0.7', 80), ['timeout']);
  });

  test('a service that the kernel refuses keeps no other out, neither in a batch nor at the start', async () => {
    const bad = tcp(80, { address: '10.99.0.20', backends: backends(0), sources: ['10.0.0.0/8', '10.1.0.0/16'] });
    const good = (i: number) => tcp(80, { address: `10.99.0.2${i}`, backends: backends(1) });
    const services = new Map([1, 2, 3].map(i => [`a/good${i}`, [good(i)]]));
    await table.update(new Map([...services, ['a/bad', [bad]], ['a/last', [good(4)]]]));
    for (const i of [1, 2, 3, 4]) assert.deepEqual(names(await ask(3, `10.99.0.2${i}`, 80)), ['pod1']);
    await assert.rejects(table.update(new Map([['a/bad', [bad]]])), /File exists/);
    await table.update(new Map([['a/last', [tcp(80, { address: '10.99.0.24' })]]]));
    assert.deepEqual(await ask(3, '10.99.0.24', 80), ['ECONNREFUSED']);
    const before = new Map<string, readonly Frontend[]>([
      ['a/web', [tcp(80, { address: '10.99.0.1', backends: backends(0, 1, 2) })]],
      ['a/self', [tcp(80, { address: '10.99.0.2', backends: backends(0) })]],
    ]);
    await table.load(new Map([...before, ...services, ['a/bad', [bad]]]));
    for (const i of [1, 2, 3]) assert.deepEqual(names(await ask(3, `10.99.0.2${i}`, 80)), ['pod1']);
    assert.deepEqual(names(await ask(3, '10.99.0.2', 80)), ['pod0']);
  });

  test('a failing transaction leads to a full load, and nothing is left after removal', async () => {
    await network.host.nft('flush ruleset');
    await table.update(new Map([['a/web', [tcp(80, { address: '10.99.0.1', backends: backends(1) })]]]));
    assert.deepEqual(names(await ask(3, '10.99.0.1', 80, 5)), ['pod1']);
    assert.deepEqual(names(await ask(3, '10.99.0.2', 80, 5)), ['pod0']);
    await table.remove();
    assert.doesNotMatch(await network.host.run('nft', 'list', 'ruleset'), /tsukube-test/);
  });
});
