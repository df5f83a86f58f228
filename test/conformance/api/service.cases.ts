import assert from 'node:assert/strict';
import { assertStatus, type Case } from './harness.ts';

const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { a: 'b' }, ports: [{ port: 80 }], ...spec },
});
const mergePatch = { 'content-type': 'application/merge-patch+json' };

export const serviceCases: readonly Case[] = [
  {
    name: 'get addresses that nobody else has, and give them back',
    async run({ core, expect }) {
      const one = await expect(201, 'POST', core('services'), { body: service('one') });
      assert.match(one.spec.clusterIP, /^10\.96\./);
      assert.deepEqual(
        [one.spec.clusterIPs, one.spec.ipFamilies, one.spec.ipFamilyPolicy],
        [[one.spec.clusterIP], ['IPv4'], 'SingleStack'],
      );
      const address = `/apis/networking.k8s.io/v1/ipaddresses/${one.spec.clusterIP}`;
      assert.equal((await expect(200, 'GET', address)).spec.parentRef.name, 'one');
      const taken = await expect(422, 'POST', core('services'), {
        body: service('two', { clusterIP: one.spec.clusterIP }),
      });
      assertStatus(taken, 'Invalid', /provided IP is already allocated/);
      await expect(200, 'DELETE', core('services', 'one'));
      await expect(404, 'GET', address);
      await expect(201, 'POST', core('services'), { body: service('two', { clusterIP: one.spec.clusterIP }) });
    },
  },
  {
    name: 'get node ports, and drop them with the type',
    async run({ core, expect }) {
      const one = await expect(201, 'POST', core('services'), { body: service('one', { type: 'NodePort' }) });
      const { nodePort } = one.spec.ports[0];
      assert.ok(nodePort >= 30_000 && nodePort <= 32_767);
      const same = { type: 'NodePort', ports: [{ port: 80, nodePort }] };
      assertStatus(
        await expect(422, 'POST', core('services'), { body: service('two', same) }),
        'Invalid',
        /provided port is already allocated/,
      );
      const body = { spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }] } };
      const changed = await expect(200, 'PATCH', core('services', 'one'), { body, headers: mergePatch });
      assert.equal(changed.spec.ports[0].nodePort, undefined);
      await expect(201, 'POST', core('services'), { body: service('two', same) });
    },
  },
  {
    name: 'share a node port between protocols of one port, and say what cannot be had',
    async run({ core, expect }) {
      const ports = [
        { name: 't', port: 53 },
        { name: 'u', port: 53, protocol: 'UDP', nodePort: 31_053 },
      ];
      const dns = await expect(201, 'POST', core('services'), { body: service('dns', { type: 'NodePort', ports }) });
      assert.deepEqual(
        dns.spec.ports.map((p: { nodePort: number }) => p.nodePort),
        [31_053, 31_053],
      );
      const plain = service('plain', { ports: [{ port: 80, nodePort: 31_053 }] });
      assertStatus(
        await expect(422, 'POST', core('services'), { body: plain }),
        'Invalid',
        /nodePort: Forbidden: may not/,
      );
      const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 31_053 };
      assertStatus(
        await expect(500, 'POST', core('services'), { body: service('local', local) }),
        'InternalError',
        /failed to allocate requested HealthCheck NodePort 31053: provided port is already allocated$/,
      );
    },
  },
  {
    name: 'a dry run and a failed write hold nothing',
    async run({ core, expect }) {
      const ip = '10.96.0.77';
      await expect(201, 'POST', `${core('services')}?dryRun=All`, { body: service('one', { clusterIP: ip }) });
      const bad = service('one', { clusterIP: ip, sessionAffinity: 'Sometimes' });
      assertStatus(await expect(422, 'POST', core('services'), { body: bad }), 'Invalid');
      await expect(201, 'POST', core('services'), { body: service('one', { clusterIP: ip }) });
    },
  },
  {
    name: 'without addresses when headless or external',
    async run({ core, expect }) {
      const headless = await expect(201, 'POST', core('services'), { body: service('h', { clusterIP: 'None' }) });
      assert.deepEqual(headless.spec.clusterIPs, ['None']);
      const external = await expect(201, 'POST', core('services'), {
        body: {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'e' },
          spec: { type: 'ExternalName', externalName: 'example.com' },
        },
      });
      assert.equal(external.spec.clusterIP, undefined);
    },
  },
  {
    name: 'of one family when the cluster has one',
    async run({ core, expect }) {
      const wants = { ipFamilyPolicy: 'RequireDualStack' };
      assertStatus(
        await expect(422, 'POST', core('services'), { body: service('both', wants) }),
        'Invalid',
        /this cluster is not configured for dual-stack services$/,
      );
      const open = { clusterIP: 'None', selector: undefined };
      const anything = await expect(201, 'POST', core('services'), { body: service('open', open) });
      assert.deepEqual(
        [anything.spec.ipFamilyPolicy, anything.spec.ipFamilies],
        ['RequireDualStack', ['IPv4', 'IPv6']],
      );
      const one = await expect(201, 'POST', core('services'), { body: service('one') });
      const body = { spec: { clusterIP: '10.96.0.99', clusterIPs: ['10.96.0.99'] } };
      const moved = await expect(422, 'PATCH', core('services', 'one'), { body, headers: mergePatch });
      assertStatus(
        moved,
        'Invalid',
        /spec\.clusterIPs\[0\]: Invalid value: \["10\.96\.0\.99"\]: may not change once set/,
      );
      const again = await expect(200, 'PUT', core('services', 'one'), { body: service('one') });
      assert.equal(again.spec.clusterIP, one.spec.clusterIP);
      await expect(404, 'GET', '/apis/networking.k8s.io/v1/ipaddresses/10.96.0.99');
    },
  },
  {
    name: 'give their address back when they become a name, and get one when they are none again',
    async run({ core, expect }) {
      const one = await expect(201, 'POST', core('services'), { body: service('one') });
      const name = { ...one, spec: { ...one.spec, type: 'ExternalName', externalName: 'example.com' } };
      const external = await expect(200, 'PUT', core('services', 'one'), { body: name });
      assert.deepEqual(
        [
          external.spec.clusterIP,
          external.spec.clusterIPs,
          external.spec.ipFamilies,
          external.spec.internalTrafficPolicy,
        ],
        [undefined, undefined, undefined, undefined],
      );
      await expect(404, 'GET', `/apis/networking.k8s.io/v1/ipaddresses/${one.spec.clusterIP}`);
      const back = { ...external, spec: { ...external.spec, type: 'ClusterIP', externalName: undefined } };
      const plain = await expect(200, 'PUT', core('services', 'one'), { body: back });
      assert.match(plain.spec.clusterIP, /^10\.96\./);
      await expect(200, 'GET', `/apis/networking.k8s.io/v1/ipaddresses/${plain.spec.clusterIP}`);
    },
  },
];
