import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service, ServiceSpec } from '../../api/types/core-v1.ts';
import type { Family } from './addresses.ts';
import { fillFamilies } from './families.ts';

const service = (spec: ServiceSpec): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { type: 'ClusterIP', selector: { app: 'web' }, ...structuredClone(spec) },
});
const one: Family[] = ['IPv4'];
const two: Family[] = ['IPv4', 'IPv6'];
const four = '10.0.0.1';
const six = 'fd00::1';
const both = { clusterIP: four, clusterIPs: [four, six], ipFamilies: ['IPv4', 'IPv6'] } satisfies ServiceSpec;
const first = { clusterIP: four, clusterIPs: [four], ipFamilies: ['IPv4'] } satisfies ServiceSpec;

function fill(spec: ServiceSpec, cluster: Family[], before?: ServiceSpec) {
  const obj = service(spec);
  const errors = fillFamilies(obj, before && service(before), cluster);
  const { ipFamilyPolicy, ipFamilies, clusterIPs } = obj.spec;
  return { errors: errors.map(e => `${e.field}: ${e.message}`), filled: [ipFamilyPolicy, ipFamilies, clusterIPs] };
}

const filled: [what: string, spec: ServiceSpec, cluster: Family[], expected: unknown[], before?: ServiceSpec][] = [
  ['nothing asked', {}, two, ['SingleStack', ['IPv4'], undefined]],
  ['a cluster whose first family is the other', {}, ['IPv6', 'IPv4'], ['SingleStack', ['IPv6'], undefined]],
  ['both preferred and there', { ipFamilyPolicy: 'PreferDualStack' }, two, ['PreferDualStack', two, undefined]],
  ['both preferred, one there', { ipFamilyPolicy: 'PreferDualStack' }, one, ['PreferDualStack', one, undefined]],
  [
    'both required, the second first',
    { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] },
    two,
    ['RequireDualStack', ['IPv6', 'IPv4'], undefined],
  ],
  ['an address says its family', { clusterIP: six, clusterIPs: [six] }, two, ['SingleStack', ['IPv6'], [six]]],
  ['headless', { clusterIP: 'None', clusterIPs: ['None'] }, two, ['SingleStack', ['IPv4'], ['None']]],
  [
    'headless without a selector has both, whatever the cluster has',
    { clusterIP: 'None', clusterIPs: ['None'], selector: {} },
    one,
    ['RequireDualStack', two, ['None']],
  ],
  [
    'headless without a selector may have a family that the cluster has not',
    { clusterIP: 'None', clusterIPs: ['None'], selector: {}, ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' },
    one,
    ['SingleStack', ['IPv6'], ['None']],
  ],
  ['an external name', { type: 'ExternalName', externalName: 'a.b' }, two, [undefined, undefined, undefined]],
  [
    'an update without a policy keeps the old one',
    first,
    two,
    ['RequireDualStack', two, [four]],
    { ...first, ipFamilyPolicy: 'RequireDualStack' },
  ],
  [
    'a preference stays what it was when the cluster gains a family',
    { ...first, ipFamilyPolicy: 'PreferDualStack' },
    two,
    ['PreferDualStack', one, [four]],
    { ...first, ipFamilyPolicy: 'PreferDualStack' },
  ],
  [
    'a policy of one gives up the second',
    { ...both, ipFamilyPolicy: 'SingleStack' },
    two,
    ['SingleStack', one, [four]],
    { ...both, ipFamilyPolicy: 'RequireDualStack' },
  ],
];

const onlyOne = "must be 'SingleStack' to release the secondary";
const refused: [what: string, spec: ServiceSpec, cluster: Family[], errors: string[], before?: ServiceSpec][] = [
  [
    'both required of a cluster with one',
    { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] },
    one,
    [
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ],
  ],
  [
    'an address of a family that is not there',
    { clusterIP: six, clusterIPs: [six] },
    one,
    [`spec.clusterIPs[0]: Invalid value: ["${six}"]: IPv6 is not configured on this cluster`],
  ],
  [
    'two addresses and families without a policy',
    both,
    two,
    [
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified",
      "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
    ],
  ],
  [
    'a malformed address',
    { clusterIP: 'ten', clusterIPs: ['ten'] },
    one,
    ['spec.clusterIPs[0]: Invalid value: "ten": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    'an address against its family',
    { clusterIP: six, clusterIPs: [six], ipFamilies: ['IPv4'] },
    two,
    [`spec.clusterIPs[0]: Invalid value: "${six}": expected an IPv4 value as indicated by \`ipFamilies[0]\``],
  ],
  [
    'the second lost without saying so',
    { ...first, ipFamilyPolicy: 'RequireDualStack' },
    two,
    [
      `spec.ipFamilyPolicy: Invalid value: "RequireDualStack": ${onlyOne} cluster IP`,
      `spec.ipFamilyPolicy: Invalid value: "RequireDualStack": ${onlyOne} IP family`,
    ],
    { ...both, ipFamilyPolicy: 'RequireDualStack' },
  ],
];

describe('families of services', () => {
  for (const [what, spec, cluster, expected, before] of filled) {
    test(what, () => assert.deepEqual(fill(spec, cluster, before), { errors: [], filled: expected }));
  }
  for (const [what, spec, cluster, errors, before] of refused) {
    test(`${what} is refused`, () => assert.deepEqual(fill(spec, cluster, before).errors, errors));
  }
});
