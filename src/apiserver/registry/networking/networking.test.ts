/** Every rule of the networking kinds, one row each, in upstream's words (pkg/apis/networking/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { ipAddresses, serviceCidrs } from './addresses.ts';
import { ingressClasses, ingresses } from './ingress.ts';
import { networkPolicies } from './network-policy.ts';

const ingress = sampleOf('networking.k8s.io/ingresses', true);
const path = 'spec.rules[0].http.paths[0]';
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const label1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

test('ingresses', () => {
  const backend = 'spec.rules.0.http.paths.0.backend';
  const rules: Rule[] = [
    ['spec', {}, 'spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
    ['spec.rules', [], 'spec: Invalid value: []: either `defaultBackend` or `rules` must be specified'],
    ['spec.defaultBackend', {}, 'spec.defaultBackend: Invalid value: "": resource or service backend is required'],
    ['spec.rules.0.host', 'A', `spec.rules[0].host: Invalid value: "A": ${subdomain}`],
    [
      'spec.rules.0.host',
      '10.0.0.1',
      'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
    ],
    ['spec.rules.0.http.paths', [], 'spec.rules[0].http.paths: Required value'],
    ['spec.rules.0.http.paths.0.pathType', undefined, `${path}.pathType: Required value: pathType must be specified`],
    [
      'spec.rules.0.http.paths.0.pathType',
      'Regex',
      `${path}.pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
    ],
    ['spec.rules.0.http.paths.0.path', '', `${path}.path: Invalid value: "": must be an absolute path`],
    ['spec.rules.0.http.paths.0.path', '/a//b', `${path}.path: Invalid value: "/a//b": must not contain '//'`],
    ['spec.rules.0.http.paths.0.path', '/a/..', `${path}.path: Invalid value: "/a/..": cannot end with '/..'`],
    [backend, {}, `${path}.backend: Invalid value: "": resource or service backend is required`],
    [
      backend,
      { service: { name: 'a' }, resource: { kind: 'A', name: 'a' } },
      `${path}.backend: Invalid value: "": cannot set both resource and service backends`,
    ],
    [
      backend,
      { resource: { apiGroup: '', kind: 'a/b', name: 'a%' } },
      `${path}.backend.resource.apiGroup: Invalid value: "": ${subdomain}`,
      `${path}.backend.resource.kind: Invalid value: "a/b": may not contain '/'`,
      `${path}.backend.resource.name: Invalid value: "a%": may not contain '%'`,
    ],
    [
      backend,
      { resource: {} },
      `${path}.backend.resource.kind: Required value`,
      `${path}.backend.resource.name: Required value`,
    ],
    [
      backend,
      { service: {} },
      `${path}.backend.service.name: Required value`,
      `${path}.backend: Required value: port name or number is required`,
    ],
    [
      backend,
      { service: { name: '1a', port: { name: 'a', number: 1 } } },
      `${path}.backend.service.name: Invalid value: "1a": ${label1035}`,
      `${path}.backend: Invalid value: "": cannot set both port name & port number`,
    ],
    [
      backend,
      { service: { name: 'a', port: { number: 70000 } } },
      `${path}.backend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive`,
    ],
    [
      backend,
      { service: { name: 'a', port: { name: '12' } } },
      `${path}.backend.service.port.name: Invalid value: "12": must contain at least one letter (a-z)`,
    ],
    ['spec.tls', [{ hosts: ['A'] }], `spec.tls[0].hosts[0]: Invalid value: "A": ${subdomain}`],
    ['spec.tls', [{ secretName: 'A' }], `spec.tls[0].secretName: Invalid value: "A": ${subdomain}`],
    ['spec.ingressClassName', '', `spec.ingressClassName: Invalid value: "": ${subdomain}`],
    [
      'metadata.annotations',
      { 'kubernetes.io/ingress.class': 'other' },
      'annotations.kubernetes.io/ingress.class: Invalid value: "other": must match `ingressClassName` when both are specified',
    ],
  ];
  assert.deepEqual(onCreate(ingresses, ingress, rules), rules);
  const status: Rule[] = [
    [
      'status.loadBalancer.ingress',
      [{ ip: 'a', hostname: '1.2.3.4' }],
      'status.loadBalancer.ingress[0].ip: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      'status.loadBalancer.ingress[0].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ],
  ];
  assert.deepEqual(onSubresource(ingresses, 'status', ingress, status), status);
  // The annotation and the class may part later.
  const legacy: Rule[] = [['metadata.annotations', { 'kubernetes.io/ingress.class': 'other' }]];
  assert.deepEqual(onUpdate(ingresses, ingress, legacy), legacy);
});

test('an ingress shows three hosts and how many rules follow', () => {
  const hosts = (...names: string[]) =>
    cells(
      ingresses,
      created(
        ingresses,
        withValue(
          ingress,
          'spec.rules',
          names.map(host => ({ host })),
        ),
      ),
    )['Hosts'];
  assert.equal(hosts('a.b', 'c.d'), 'a.b,c.d');
  assert.equal(hosts('a.b', '', 'c.d', 'e.f', 'g.h'), 'a.b,c.d,e.f + 2 more...');
  assert.equal(hosts(''), '*');
});

test('ingress classes', () => {
  const base = sampleOf('networking.k8s.io/ingressclasses', false);
  const rules: Rule[] = [
    ['spec.controller', '', 'spec.controller: Required value'],
    [
      'spec.controller',
      'a',
      'spec.controller: Invalid value: "a": must be a domain-prefixed path (such as "acme.io/foo")',
    ],
    ['spec.controller', 'A/b', `spec.controller: Invalid value: "A": ${subdomain}`],
    [
      'spec.controller',
      'a.b/c d',
      "spec.controller: Invalid value: \"c d\": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')",
    ],
    ['spec.controller', `a.b/${'c'.repeat(250)}`, 'spec.controller: Too long: may not be more than 250 bytes'],
    ['spec.parameters', {}, 'spec.parameters.kind: Required value', 'spec.parameters.name: Required value'],
    [
      'spec.parameters',
      { kind: 'A', name: 'a', scope: 'Other' },
      'spec.parameters.scope: Unsupported value: "Other": supported values: "Cluster", "Namespace"',
    ],
    [
      'spec.parameters',
      { kind: 'A', name: 'a', scope: 'Namespace' },
      "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
    ],
    [
      'spec.parameters',
      { kind: 'A', name: 'a', namespace: 'b' },
      "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'",
    ],
  ];
  assert.deepEqual(onCreate(ingressClasses, base, rules), rules);
  const updates: Rule[] = [
    ['spec.controller', 'example.com/other', 'spec.controller: Invalid value: "example.com/other": field is immutable'],
  ];
  assert.deepEqual(onUpdate(ingressClasses, base, updates), updates);
});

test('network policies', () => {
  const base = sampleOf('networking.k8s.io/networkpolicies', true);
  const port = 'spec.ingress[0].ports[0]';
  const peer = 'spec.ingress[0].from[0]';
  const ports = (value: object) => [{ ports: [value] }];
  const from = (value: object) => [{ from: [value] }];
  const rules: Rule[] = [
    [
      'spec.ingress',
      ports({ protocol: 'ICMP' }),
      `${port}.protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"`,
    ],
    ['spec.ingress', ports({ port: 0 }), `${port}.port: Invalid value: 0: must be between 1 and 65535, inclusive`],
    [
      'spec.ingress',
      ports({ port: '' }),
      `${port}.port: Invalid value: "": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
      `${port}.port: Invalid value: "": must contain at least one letter (a-z)`,
    ],
    [
      'spec.ingress',
      ports({ port: 80, endPort: 79 }),
      `${port}.endPort: Invalid value: 79: must be greater than or equal to \`port\``,
    ],
    [
      'spec.ingress',
      ports({ port: 'http', endPort: 79 }),
      `${port}.endPort: Invalid value: 79: may not be specified when \`port\` is non-numeric`,
    ],
    [
      'spec.ingress',
      ports({ endPort: 79 }),
      `${port}.endPort: Invalid value: 79: may not be specified when \`port\` is not specified`,
    ],
    ['spec.ingress', from({}), `${peer}: Required value: must specify a peer`],
    [
      'spec.ingress',
      from({ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }),
      `${peer}: Forbidden: may not specify both ipBlock and another peer`,
    ],
    ['spec.ingress', from({ ipBlock: {} }), `${peer}.ipBlock.cidr: Required value`],
    [
      'spec.ingress',
      from({ ipBlock: { cidr: '10.0.0.0' } }),
      `${peer}.ipBlock.cidr: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
    ],
    ['spec.ingress', from({ ipBlock: { cidr: '010.0.0.1/24' } })],
    [
      'spec.ingress',
      from({ ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.1.0/28'] } }),
      `${peer}.ipBlock.except[0]: Invalid value: "10.0.1.0/28": must be a strict subset of \`cidr\``,
    ],
    [
      'spec.policyTypes',
      ['Ingress', 'Egress', 'Ingress'],
      'spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes',
    ],
    [
      'spec.policyTypes',
      ['Both'],
      'spec.policyTypes[0]: Unsupported value: "Both": supported values: "Ingress", "Egress"',
    ],
  ];
  assert.deepEqual(onCreate(networkPolicies, base, rules), rules);
  const draft = withValue(base, 'spec.egress', [
    { to: [{ ipBlock: { cidr: '10.0.0.1/24', except: ['::ffff:10.0.0.0/124', 'FE80::/64'] } }] },
  ]);
  assert.deepEqual(networkPolicies.warnings?.(created(networkPolicies, draft), undefined), [
    'spec.egress[0].to[0].ipBlock.cidr: CIDR value "10.0.0.1/24" is ambiguous in this context (should be "10.0.0.0/24" or "10.0.0.1/32"?)',
    'spec.egress[0].to[0].ipBlock.except[0]: non-standard CIDR value "::ffff:10.0.0.0/124" will be considered invalid in a future Kubernetes release: use "10.0.0.0/28"',
    'spec.egress[0].to[0].ipBlock.except[1]: IPv6 CIDR value "FE80::/64" should be in RFC 5952 canonical format ("fe80::/64")',
  ]);
});

test('IP addresses', () => {
  const base = sampleOf('networking.k8s.io/ipaddresses', false);
  const rules: Rule[] = [
    ['metadata.name', '010.0.0.1', 'metadata.name: Invalid value: "010.0.0.1": must not have leading 0s'],
    ['metadata.name', 'FE80::1', 'metadata.name: Invalid value: "FE80::1": must be in canonical form ("fe80::1")'],
    ['spec', {}, 'spec.parentRef: Required value'],
    ['spec.parentRef', {}, 'spec.parentRef.resource: Required value', 'spec.parentRef.name: Required value'],
    ['spec.parentRef.group', 'A', `spec.parentRef.group: Invalid value: "A": ${subdomain}`],
    ['spec.parentRef.namespace', '..', 'spec.parentRef.namespace: Invalid value: "..": may not be \'..\''],
  ];
  assert.deepEqual(onCreate(ipAddresses, base, rules), rules);
  const updates: Rule[] = [
    [
      'spec.parentRef.name',
      'b',
      'spec.parentRef: Invalid value: {"Group":"","Resource":"services","Namespace":"default","Name":"b"}: field is immutable',
    ],
  ];
  assert.deepEqual(onUpdate(ipAddresses, base, updates), updates);
});

test('service CIDRs', () => {
  const base = sampleOf('networking.k8s.io/servicecidrs', false);
  const families = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
  const rules: Rule[] = [
    ['spec.cidrs', [], 'spec.cidrs: Required value: at least one CIDR required'],
    [
      'spec.cidrs',
      ['10.0.0.0/8', 'fd00::/64', 'fd01::/64'],
      'spec.cidrs: Invalid value: {"CIDRs":["10.0.0.0/8","fd00::/64","fd01::/64"]}: may only hold up to 2 values',
    ],
    ['spec.cidrs', ['10.0.0.0/8', '11.0.0.0/8'], `spec.cidrs: Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: ${families}`],
    [
      'spec.cidrs',
      ['10.0.0.1/24'],
      'spec.cidrs[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length',
    ],
  ];
  assert.deepEqual(onCreate(serviceCidrs, base, rules), rules);
  const updates: Rule[] = [
    ['spec.cidrs', ['10.96.0.0/16', 'fd00::/108']],
    ['spec.cidrs', ['10.97.0.0/16'], 'spec.cidrs[0]: Invalid value: "10.97.0.0/16": field is immutable'],
    ['spec.cidrs', [], 'spec.cidrs: Invalid value: []: field is immutable'],
  ];
  assert.deepEqual(onUpdate(serviceCidrs, base, updates), updates);
});
