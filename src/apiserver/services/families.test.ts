/** Families of services' addresses, on a server in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { systemRandom } from '../../base/random.ts';
import { createClient } from '../../client/index.ts';
import { createMemoryStore } from '../../store/memory/index.ts';
import { createApiServer } from '../index.ts';
import { strategies } from '../registry/index.ts';

const v4 = '10.43.0.0/16';
const v6 = 'fd43::/112';
const cases: [ranges: string[], policy: string | undefined, families: string[]][] = [
  [[v4], undefined, ['IPv4']],
  [[v6], undefined, ['IPv6']],
  [[v6], 'PreferDualStack', ['IPv6']],
  [[v4, v6], undefined, ['IPv4']],
  [[v4, v6], 'PreferDualStack', ['IPv4', 'IPv6']],
  [[v6, v4], undefined, ['IPv6']],
  [[v6, v4], 'SingleStack', ['IPv6']],
  [[v6, v4], 'PreferDualStack', ['IPv6', 'IPv4']],
  [[v6, v4], 'RequireDualStack', ['IPv6', 'IPv4']],
];
for (const [ranges, ipFamilyPolicy, families] of cases) {
  test(`${ipFamilyPolicy ?? 'no policy'} in ${ranges.join()}: ${families.join()}`, async () => {
    const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
    const store = createMemoryStore({ clock: systemClock });
    const server = createApiServer({ ...environment, store, strategies, serviceCidrs: ranges });
    try {
      await server.start();
      const client = createClient(server.loopback);
      // Another range adds no family.
      const more = client.resource('networking.k8s.io/v1/servicecidrs');
      await more.create({ metadata: { name: 'a-later-one' }, spec: { cidrs: ['10.99.0.0/24'] } });
      const made = await client.services('default').create({
        metadata: { name: 's' },
        spec: { ports: [{ port: 80 }], ...(ipFamilyPolicy && { ipFamilyPolicy }) },
      });

      assert.deepEqual(made.spec.ipFamilies, families);
      assert.deepEqual(
        made.spec.clusterIPs?.map(ip => (ip.includes(':') ? 'IPv6' : 'IPv4')),
        families,
      );
    } finally {
      await server.close();
      await store.close();
    }
  });
}
