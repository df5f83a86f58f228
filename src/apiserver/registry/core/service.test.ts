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
    'plural addresses that begin with another',
    'spec',
    { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.2'], ports: [{ port: 80 }] },
    ['spec.clusterIPs: Invalid value: ["10.0.0.2"]: first value must match `clusterIP`'],
  ],
  [
    'no address besides others',
    'spec',
    { clusterIP: 'None', clusterIPs: ['None', '10.0.0.1'], ports: [{ port: 80 }] },
    ['spec.clusterIPs: Invalid value: ["None","10.0.0.1"]: \'None\' must be the first and only value'],
  ],
  [
    'three addresses',
    'spec',
    { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1', '10.0.0.2'], ports: [{ port: 80 }] },
    ['spec.clusterIPs: Invalid value: ["10.0.0.1","fd00::1","10.0.0.2"]: may only hold up to 2 values'],
  ],
  [
    'two addresses of one family',
    'spec',
    { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', '10.0.0.2'], ports: [{ port: 80 }] },
    ['spec.clusterIPs: Invalid value: ["10.0.0.1","10.0.0.2"]: may specify no more than one IP for each IP family'],
  ],
  [
    'a family twice and one that is none',
    'spec.ipFamilies',
    ['IPv4', 'IPv4', 'IPv5'],
    [
      'spec.ipFamilies[1]: Duplicate value: "IPv4"',
      'spec.ipFamilies[2]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
    ],
  ],
  [
    'one port twice',
    'spec.ports',
    [
      { name: 'a', port: 80 },
      { name: 'b', port: 80 },
    ],
    [
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    ],
  ],
  [
    'two names of topology that disagree',
    'metadata.annotations',
    { 'service.kubernetes.io/topology-mode': 'Auto', 'service.kubernetes.io/topology-aware-hints': 'Off' },
    [
      'metadata.annotations[service.kubernetes.io/topology-mode]: Invalid value: "Auto": must match annotations[service.kubernetes.io/topology-aware-hints] when both are specified',
    ],
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
  const twoFamilies = {
    ...valid,
    spec: {
      ...valid.spec,
      clusterIP: '10.0.0.1',
      clusterIPs: ['10.0.0.1', 'fd00::1'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    },
  };
  const headless = { ...valid, spec: { ...valid.spec, clusterIP: 'None', ipFamilies: ['IPv4'] } };
  const balanced = { ...valid, spec: { ...nodePort.spec, type: 'LoadBalancer', externalTrafficPolicy: 'Local' } };
  const fixed = 'may not change once set';
  const changes: [what: string, before: object, change: (obj: Service) => void, errors: string[]][] = [
    [
      'another address',
      nodePort,
      ({ spec }) => Object.assign(spec, { clusterIP: '10.0.0.2', clusterIPs: ['10.0.0.2'] }),
      [`spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: ${fixed}`],
    ],
    [
      'another address in the singular field alone',
      nodePort,
      ({ spec }) => Object.assign(spec, { clusterIP: '10.0.0.2' }),
      [`spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: ${fixed}`],
    ],
    [
      'another second address and family',
      twoFamilies,
      ({ spec }) => Object.assign(spec, { clusterIPs: ['10.0.0.1', 'fd00::2'], ipFamilies: ['IPv6', 'IPv4'] }),
      [
        `spec.clusterIPs[1]: Invalid value: ["10.0.0.1","fd00::2"]: ${fixed}`,
        `spec.ipFamilies[0]: Invalid value: ["IPv6","IPv4"]: ${fixed}`,
        `spec.ipFamilies[0]: Invalid value: ["IPv6","IPv4"]: ${fixed}`,
        'spec.clusterIPs[0]: Invalid value: "10.0.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`',
        'spec.clusterIPs[1]: Invalid value: "fd00::2": expected an IPv4 value as indicated by `ipFamilies[1]`',
      ],
    ],
    [
      'the second given up without a policy of one',
      twoFamilies,
      ({ spec }) => Object.assign(spec, { clusterIPs: ['10.0.0.1'], ipFamilies: ['IPv4'] }),
      ['clusterIP', 'ipFamily'].map(
        what =>
          `spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be set to 'SingleStack' when releasing the secondary ${what}`,
      ),
    ],
    ['other families of a headless service', headless, ({ spec }) => Object.assign(spec, { ipFamilies: ['IPv6'] }), []],
    [
      'another class of balancer',
      { ...balanced, spec: { ...balanced.spec, loadBalancerClass: 'a.b/c' } },
      ({ spec }) => Object.assign(spec, { loadBalancerClass: 'a.b/d' }),
      [`spec.loadBalancerClass: Invalid value: "a.b/d": ${fixed}`],
    ],
    [
      'another health check port',
      { ...balanced, spec: { ...balanced.spec, healthCheckNodePort: 30_001 } },
      ({ spec }) => Object.assign(spec, { healthCheckNodePort: 30_002 }),
      ['spec.healthCheckNodePort: Forbidden: field is immutable'],
    ],
  ];
  for (const [what, before, change, errors] of changes) {
    test(`an update: ${what}`, () => assert.deepEqual(updateErrors(services, before, change), errors));
  }
  test('node ports follow the names of ports', () => {
    const ports = [
      { name: 'a', port: 80, nodePort: 30_080 },
      { name: 'b', port: 81, nodePort: 30_081 },
    ];
    const old = created(services, { ...valid, spec: { type: 'NodePort', ports } });
    const draft = [
      { name: 'a', port: 81 },
      { name: 'b', port: 82 },
      { name: 'c', port: 80, nodePort: 30_081 },
    ];
    const obj = created(services, { ...valid, spec: { type: 'NodePort', ports: draft } });
    services.prepareForUpdate?.(obj, old, context);
    assert.deepEqual(
      obj.spec.ports?.map(p => p.nodePort),
      [30_080, undefined, 30_081],
    );
  });
  test('a service that is balanced no longer forgets where it was', () => {
    const old = { ...created(services, balanced), status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }] } } };
    const obj: Service = { ...structuredClone(old), spec: { ...structuredClone(old.spec), type: 'NodePort' } };
    services.prepareForUpdate?.(obj, old, context);
    assert.deepEqual(obj.status, { loadBalancer: {} });
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
