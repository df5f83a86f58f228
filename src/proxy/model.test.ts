import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '../api/types/index.ts';
import { type Frontend, frontendsOf, healthPortOf, isProxied, type NodeFacts } from './model.ts';

const here: NodeFacts = { name: 'here', zone: 'z1' };
const service = (spec: Partial<ServiceSpec>, rest: Partial<Service> = {}): Service => ({
  metadata: { name: 'web', namespace: 'shop' },
  spec: { clusterIP: '10.43.0.5', ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...spec },
  ...rest,
});
const slice = (endpoints: Endpoint[], rest: Partial<EndpointSlice> = {}): EndpointSlice => ({
  metadata: { name: 'web-1', namespace: 'shop' },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints,
  ...rest,
});
/** "1" ready here, "2@there" ready there, "3t" terminating and serving, "3x" terminating and not serving, "4n" not ready, "5/z1" a hint, "5%n" a node hint. */
function endpoint(text: string): Endpoint {
  const [, number, state, where, zone, node] = /^(\d+)([txn]?)(?:@(\w+))?(?:\/(\w+))?(?:%(\w+))?$/.exec(text) ?? [];
  const conditions = {
    '': { ready: true, serving: true, terminating: false },
    t: { ready: false, serving: true, terminating: true },
    x: { ready: false, serving: false, terminating: true },
    n: { ready: false, serving: false, terminating: false },
  }[state ?? ''] ?? { ready: true };
  return {
    addresses: [`10.42.0.${number}`],
    conditions,
    nodeName: where ?? 'here',
    ...((zone ?? node) && {
      hints: { ...(zone && { forZones: [{ name: zone }] }), ...(node && { forNodes: [{ name: node }] }) },
    }),
  };
}
const slicesOf = (text: string) => [slice(text.split(' ').filter(Boolean).map(endpoint))];
const last = (list: readonly { ip: string }[] | undefined) => (list ?? []).map(b => b.ip.split('.').pop()).join(' ');
const at = (frontends: readonly Frontend[], address: string | undefined, port?: number) => {
  const found = frontends.find(f => f.address === address && (port === undefined || f.port === port));
  assert.ok(found, `no frontend at ${address}`);
  return found;
};

describe('which endpoints a cluster address has', () => {
  const cases: [
    what: string,
    endpoints: string,
    expected: string,
    internalTrafficPolicy?: string | undefined,
    empty?: string,
  ][] = [
    ['all that are ready, wherever they run', '1 2@there', '1 2'],
    ['not those that are not', '1 4n 3x 3t', '1'],
    ['those that end but still serve, when none is ready', '3t 4n 5x', '3'],
    ['none', '4n 5x', '', undefined, 'reject'],
    ['those of this node, by policy', '1 2@there', '1', 'Local'],
    ['those of this node that end, by policy, before ready ones elsewhere', '3t 2@there', '3', 'Local'],
    ['none when others have them: dropped', '2@there', '', 'Local', 'drop'],
    ['none at all: refused', '4n', '', 'Local', 'reject'],
    ['those with a hint for the zone', '1/z1 2@there/z2', '1'],
    ['all when one has no hint', '1/z2 2@there', '1 2'],
    ['all when no hint is for the zone', '1/z2 2@there/z3', '1 2'],
    ['hints of endpoints that are not ready do not count', '1/z1 2@there/z2 4n', '1'],
    ['those with a hint for the node', '1/z1%here 2@there/z1%there', '1'],
    ['the zone when no hint is for the node', '1/z1%other 2@there/z2%there', '1'],
    ['the fallback to ending ones ignores hints', '3t/z2 5t', '3 5'],
  ];
  for (const [what, endpoints, expected, internalTrafficPolicy, empty] of cases) {
    test(what, () => {
      const spec = internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy };
      const frontend = at(frontendsOf(service(spec), slicesOf(endpoints), here), '10.43.0.5');
      assert.equal(last(frontend.backends), expected);
      if (empty) assert.equal(frontend.whenEmpty, empty);
    });
  }
  test('a node without a zone takes no notice of hints for zones', () => {
    const [frontend] = frontendsOf(service({}), slicesOf('1/z1 2@there/z2'), { name: 'here' });
    assert.equal(last(frontend?.backends), '1 2');
  });
});

describe('which endpoints an outside address has', () => {
  const cases: [what: string, policy: string, endpoints: string, outside: string, inside: string, empty: string][] = [
    ['Cluster', 'Cluster', '1 2@there', '1 2', '', 'reject'],
    ['Local', 'Local', '1 2@there', '1', '1 2', 'drop'],
    ['Local, ending ones of this node', 'Local', '3t 2@there', '3', '2', 'drop'],
    ['Local, none here', 'Local', '2@there', '', '2', 'drop'],
    ['Local, none anywhere', 'Local', '4n', '', '', 'reject'],
  ];
  for (const [what, externalTrafficPolicy, endpoints, outside, inside, empty] of cases) {
    test(what, () => {
      const spec = {
        ...{ type: 'LoadBalancer', externalTrafficPolicy, externalIPs: ['192.0.2.7'] },
        ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 }],
      };
      const status = { loadBalancer: { ingress: [{ ip: '192.0.2.8' }] } };
      const frontends = frontendsOf(service(spec, { status }), slicesOf(endpoints), here);
      const ports = frontends.map(f => `${f.address ?? 'node'}:${f.port}`);
      assert.deepEqual(ports, ['10.43.0.5:80', '192.0.2.7:80', '192.0.2.8:80', 'node:30080']);
      for (const frontend of frontends.slice(1)) {
        assert.equal(last(frontend.backends), outside);
        assert.equal(last(frontend.internalBackends), inside);
        assert.equal(frontend.preserveSource, externalTrafficPolicy === 'Local');
        assert.equal(frontend.whenEmpty, empty);
      }
    });
  }
});

describe('the shape of frontends', () => {
  test('both families, each with its own endpoints', () => {
    const dual = service({ clusterIPs: ['10.43.0.5', 'fd00::5'], externalIPs: ['192.0.2.7', '2001:db8::7'] });
    const v6 = slice([{ addresses: ['fd42::9'], nodeName: 'here' }], { addressType: 'IPv6' });
    const frontends = frontendsOf(dual, [...slicesOf('1'), v6], here);
    assert.deepEqual(
      frontends.map(f => [f.family, f.address, f.backends.map(b => b.ip).join()]),
      [
        ['ip', '10.43.0.5', '10.42.0.1'],
        ['ip', '192.0.2.7', '10.42.0.1'],
        ['ip6', 'fd00::5', 'fd42::9'],
        ['ip6', '2001:db8::7', 'fd42::9'],
      ],
    );
  });
  test('ports find their endpoints by name and protocol, not by number', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
      { name: 'other', port: 54, protocol: 'SCTP' },
    ];
    const slices = [
      slice([endpoint('1')], { ports: [{ name: 'dns', port: 5353, protocol: 'UDP' }] }),
      slice([endpoint('2')], { ports: [{ name: 'dns-tcp', port: 5354, protocol: 'TCP' }] }),
    ];
    assert.deepEqual(
      frontendsOf(service({ ports }), slices, here).map(f => [f.protocol, f.port, f.backends]),
      [
        ['udp', 53, [{ ip: '10.42.0.1', port: 5353 }]],
        ['tcp', 53, [{ ip: '10.42.0.2', port: 5354 }]],
        ['sctp', 54, []],
      ],
    );
  });
  test('an endpoint in two slices is one backend', () => {
    const [frontend] = frontendsOf(service({}), [...slicesOf('1 2'), ...slicesOf('2 3')], here);
    assert.equal(last(frontend?.backends), '1 2 3');
  });
  test('session affinity, with its default of three hours', () => {
    const of = (spec: Partial<ServiceSpec>) => frontendsOf(service(spec), [], here)[0]?.affinitySeconds;
    assert.equal(of({ sessionAffinity: 'ClientIP' }), 10_800);
    assert.equal(of({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 7 } } }), 7);
    assert.equal(of({ sessionAffinity: 'None' }), undefined);
  });
  test('source ranges restrict the load balancer only, by family', () => {
    const spec = { type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24', '2001:db8::/32'] };
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.8' }] } };
    const frontends = frontendsOf(service(spec, { status }), [], here);
    assert.deepEqual(at(frontends, '192.0.2.8').sources, ['198.51.100.0/24']);
    assert.equal(at(frontends, '10.43.0.5').sources, undefined);
    const onlyV6 = service({ ...spec, loadBalancerSourceRanges: ['2001:db8::/32'] }, { status });
    assert.deepEqual(at(frontendsOf(onlyV6, [], here), '192.0.2.8').sources, []);
  });
  test('source ranges are written once, without those inside others', () => {
    const ranges = ['10.1.2.3/8', '10.1.0.0/16', ' 192.0.2.0/24 ', '10.0.0.0/8', '192.0.2.0/25', '198.51.100.0/24'];
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.8' }] } };
    const made = service({ type: 'LoadBalancer', loadBalancerSourceRanges: ranges }, { status });
    assert.deepEqual(at(frontendsOf(made, [], here), '192.0.2.8').sources, [
      '10.0.0.0/8',
      '192.0.2.0/24',
      '198.51.100.0/24',
    ]);
    const all = service({ type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8', '0.0.0.0/0'] }, { status });
    assert.deepEqual(at(frontendsOf(all, [], here), '192.0.2.8').sources, ['0.0.0.0/0']);
  });
  test('a load balancer that terminates itself, or has a name only, is no frontend', () => {
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.8', ipMode: 'Proxy' }, { hostname: 'lb.example' }] } };
    assert.equal(frontendsOf(service({ type: 'LoadBalancer' }, { status }), [], here).length, 1);
  });
  for (const [what, made] of Object.entries({
    headless: service({ clusterIP: 'None' }),
    'without an address yet': service({ clusterIP: '' }),
    'an alias': service({ type: 'ExternalName', externalName: 'example.org' }),
    "another proxy's": service(
      {},
      { metadata: { name: 'w', labels: { 'service.kubernetes.io/service-proxy-name': 'x' } } },
    ),
  }))
    test(`a service that is ${what} has none`, () => {
      assert.equal(isProxied(made), false);
      assert.deepEqual(frontendsOf(made, slicesOf('1'), here), []);
    });
});

test('the health-check port counts ready endpoints of this node once', () => {
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 };
  const slices = [...slicesOf('1 2@there 4n 3t'), ...slicesOf('1')];
  assert.deepEqual(healthPortOf(service(spec), slices, here), { port: 32000, localEndpoints: 1 });
  assert.equal(healthPortOf(service({ ...spec, externalTrafficPolicy: 'Cluster' }), slices, here), undefined);
  assert.equal(healthPortOf(service({ ...spec, type: 'NodePort' }), slices, here), undefined);
});
