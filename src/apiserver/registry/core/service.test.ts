import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service } from '../../../api/types/core-v1.ts';
import { context, created, createErrors, texts, updateErrors, withValue } from '../testing.ts';
import { services } from './service.ts';

const valid = {
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
};

const cases: [what: string, path: string, value: unknown, errors: string[]][] = [
  ['no ports', 'spec.ports', [], ['spec.ports: Required value']],
  [
    'two ports without names',
    'spec.ports',
    [{ port: 80 }, { port: 81 }],
    ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value'],
  ],
  [
    'a node port on a cluster address',
    'spec.ports.0.nodePort',
    30000,
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  [
    'an unknown type',
    'spec.type',
    'Wish',
    ['spec.type: Unsupported value: "Wish": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
  ],
  [
    'a headless node port service',
    'spec',
    { type: 'NodePort', clusterIP: 'None', ports: [{ port: 80 }] },
    ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
  ],
  ['an external name without a name', 'spec', { type: 'ExternalName' }, ['spec.externalName: Required value']],
  [
    'a loopback external address',
    'spec.externalIPs',
    ['127.0.0.1'],
    ['spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  ],
  [
    'plural addresses that disagree with the singular',
    'spec.clusterIPs',
    ['10.0.0.1'],
    ['spec.clusterIPs: Invalid value: ["10.0.0.1"]: must be empty when `clusterIP` is not specified'],
  ],
  [
    'source ranges without a balancer',
    'spec.loadBalancerSourceRanges',
    ['10.0.0.0/8'],
    ["spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"],
  ],
  [
    'a name that starts with a digit',
    'metadata.name',
    '1web',
    [
      "metadata.name: Invalid value: \"1web\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    ],
  ],
];

describe('services', () => {
  test('are defaulted as upstream does', () => {
    const service = created(services, valid);
    assert.deepEqual(service.spec, {
      selector: { app: 'web' },
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
      internalTrafficPolicy: 'Cluster',
    });
    assert.deepEqual(service.status, { loadBalancer: {} });
  });
  for (const [what, path, value, errors] of cases) {
    test(`${what} is refused`, () => assert.deepEqual(createErrors(services, withValue(valid, path, value)), errors));
  }
  const nodePort = {
    ...valid,
    spec: {
      type: 'NodePort',
      clusterIP: '10.0.0.1',
      clusterIPs: ['10.0.0.1'],
      ipFamilies: ['IPv4'],
      ports: [{ port: 80, nodePort: 30080 }],
    },
  };
  test('an update keeps what was allocated', () => {
    const old = created(services, nodePort);
    const obj = created(services, { ...valid, spec: { type: 'NodePort', ports: [{ port: 80 }] } });
    services.prepareForUpdate?.(obj, old, context);
    assert.equal(obj.spec.clusterIP, '10.0.0.1');
    assert.deepEqual(obj.spec.clusterIPs, ['10.0.0.1']);
    assert.equal(obj.spec.ports?.[0]?.nodePort, 30080);
  });
  test('a cluster address cannot change', () => {
    const errors = updateErrors(services, nodePort, obj => {
      obj.spec.clusterIP = '10.0.0.2';
      obj.spec.clusterIPs = ['10.0.0.2'];
    });
    assert.deepEqual(errors, ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set']);
  });
  test('turning a node port service into a plain one drops the ports', () => {
    const old = created(services, nodePort);
    const obj: Service = { ...structuredClone(old), spec: { ...structuredClone(old.spec), type: 'ClusterIP' } };
    services.prepareForUpdate?.(obj, old, context);
    assert.deepEqual(texts(services.validateUpdate?.(obj, old, context)), []);
    assert.equal(obj.spec.ports?.[0]?.nodePort, undefined);
    assert.equal(obj.spec.externalTrafficPolicy, undefined);
  });
  test('columns', () => {
    const cells = (draft: object) => (services.columns ?? []).map(c => c.cell(created(services, draft), 0)).slice(1, 5);
    assert.deepEqual(cells(nodePort), ['NodePort', '10.0.0.1', '<none>', '80:30080/TCP']);
    assert.deepEqual(cells({ ...valid, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } }), [
      'LoadBalancer',
      '<none>',
      '<pending>',
      '80/TCP',
    ]);
  });
});
