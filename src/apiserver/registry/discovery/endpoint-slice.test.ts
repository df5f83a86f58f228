/** Every rule of endpoint slices in upstream's words (pkg/apis/discovery/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { created, createErrors, onCreate, onUpdate, type Rule, withValue } from '../testing.ts';
import { endpointSlices } from './endpoint-slice.ts';

const base = sampleOf('discovery.k8s.io/endpointslices', true);
const at = 'endpoints[0]';
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const names = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `n${i}` }));

test('endpoint slices', () => {
  const rules: Rule[] = [
    ['addressType', '', 'addressType: Required value'],
    ['addressType', 'IP', 'addressType: Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'],
    ['endpoints.0.addresses', [], `${at}.addresses: Required value: must contain at least 1 address`],
    ['endpoints.0.addresses', ['fd00::1'], `${at}.addresses: Invalid value: "fd00::1": must be an IPv4 address`],
    [
      'endpoints.0.addresses',
      ['127.0.0.1'],
      `${at}.addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)`,
    ],
    [
      'endpoints.0.addresses',
      ['x'],
      `${at}.addresses[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
    ],
    ['endpoints.0.addresses', ['010.1.1.1']],
    ['endpoints.0.hostname', 'A', `${at}.hostname: Invalid value: "A": ${label}`],
    ['endpoints.0.hints', { forZones: names(9) }, `${at}.hints.forZones: Too many: 9: must have at most 8 items`],
    [
      'endpoints.0.hints',
      { forNodes: [{ name: 'a' }, { name: 'a' }] },
      `${at}.hints.forNodes[1].name: Duplicate value: "a"`,
    ],
    ['ports', [{ name: 'A' }], `ports[0].name: Invalid value: "A": ${label}`],
    ['ports', [{ port: 1 }, { port: 2 }], 'ports[1].name: Duplicate value: ""'],
    [
      'ports',
      [{ port: 0, protocol: 'X' }],
      'ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
    ],
  ];
  assert.deepEqual(onCreate(endpointSlices, base, rules), rules);
  const fqdn = withValue(withValue(base, 'addressType', 'FQDN'), 'endpoints.0.addresses', ['a']);
  assert.deepEqual(createErrors(endpointSlices, fqdn), [
    `${at}.addresses[0]: Invalid value: "a": should be a domain with at least two segments separated by dots`,
  ]);
  const updates: Rule[] = [
    ['addressType', 'FQDN', 'addressType: Invalid value: "FQDN": field is immutable'],
    ['metadata.labels', { a: 'b' }],
  ];
  assert.deepEqual(onUpdate(endpointSlices, base, updates), updates);
});

test('topology is not for v1 clients, except for the node it names', () => {
  const draft = withValue(base, 'endpoints.0.deprecatedTopology', { zone: 'a' });
  assert.equal(created(endpointSlices, draft).endpoints?.[0]?.deprecatedTopology, undefined);
});

test('warnings', () => {
  const draft = withValue(withValue(base, 'endpoints.0.addresses', ['010.1.1.1']), 'metadata.labels', { a: 'b' });
  assert.deepEqual(endpointSlices.warnings?.(created(endpointSlices, draft), undefined), [
    'endpoints[0].addresses[0]: non-standard IP address "010.1.1.1" will be considered invalid in a future Kubernetes release: use "10.1.1.1"',
  ]);
});
