/** Every rule of claims, classes and slices of devices in upstream's words (pkg/apis/resource/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { created, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { deviceClasses } from './device-class.ts';
import { resourceClaims } from './resource-claim.ts';
import { resourceSlices } from './resource-slice.ts';

const claim = sampleOf('resource.k8s.io/resourceclaims', true);
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const unknown = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
const request = { name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } };

test('claims', () => {
  const at = 'spec.devices.requests[0]';
  const devices = (more: object) => ({ requests: [request], ...more });
  const parameters = { a: 'b' };
  const rules: Rule[] = [
    ['spec.devices.requests.0.name', 'A', `${at}.name: Invalid value: "A": ${label}`],
    [
      'spec.devices.requests.0',
      { name: 'a' },
      `${at}: Required value: exactly one of \`exactly\` or \`firstAvailable\` is required`,
    ],
    [
      'spec.devices.requests.0',
      { ...request, firstAvailable: [{ name: 'b', deviceClassName: 'c' }] },
      `${at}: Invalid value: null: exactly one of \`exactly\` or \`firstAvailable\` is required, but multiple fields are set`,
    ],
    ['spec.devices.requests', [request, request], 'spec.devices.requests[1]: Duplicate value: "gpu"'],
    [
      'spec.devices.requests',
      Array.from({ length: 33 }, (_, i) => ({ ...request, name: `r${i}` })),
      'spec.devices.requests: Too many: 33: must have at most 32 items',
    ],
    ['spec.devices.requests.0.exactly.deviceClassName', '', `${at}.exactly.deviceClassName: Required value`],
    ['spec.devices.requests.0.exactly.selectors', [{}], `${at}.exactly.selectors[0].cel: Required value`],
    ['spec.devices.requests.0.exactly.count', -1, `${at}.exactly.count: Invalid value: -1: must be greater than zero`],
    [
      'spec.devices.requests.0.exactly',
      { deviceClassName: 'a', allocationMode: 'All', count: 1 },
      `${at}.exactly.count: Invalid value: 1: must not be specified when allocationMode is 'All'`,
    ],
    [
      'spec.devices.requests.0.exactly.allocationMode',
      'Some',
      `${at}.exactly.allocationMode: Unsupported value: "Some": supported values: "All", "ExactCount"`,
    ],
    [
      'spec.devices.requests.0.exactly.tolerations',
      [{ operator: 'Exists', value: 'a' }, { operator: 'Is' }],
      `${at}.exactly.tolerations[0].value: Invalid value: "a": must be empty for operator \`Exists\``,
      `${at}.exactly.tolerations[1].operator: Unsupported value: "Is": supported values: "Equal", "Exists"`,
    ],
    [
      'spec.devices',
      devices({ constraints: [{ requests: ['other'], matchAttribute: 'a.b/c' }] }),
      `spec.devices.constraints[0].requests[0]: Invalid value: "other": ${unknown}`,
    ],
    ['spec.devices', devices({ constraints: [{}] }), 'spec.devices.constraints[0].matchAttribute: Required value'],
    [
      'spec.devices',
      devices({ constraints: [{ matchAttribute: 'c' }] }),
      'spec.devices.constraints[0].matchAttribute: Invalid value: "c": a fully qualified name must be a domain and a name separated by a slash',
    ],
    ['spec.devices', devices({ config: [{}] }), 'spec.devices.config[0].opaque: Required value'],
    [
      'spec.devices',
      devices({ config: [{ opaque: { driver: 'a.b' } }] }),
      'spec.devices.config[0].opaque.parameters: Required value',
    ],
    [
      'spec.devices',
      devices({ config: [{ opaque: { driver: '', parameters: ['a'] } }] }),
      'spec.devices.config[0].opaque.driver: Required value',
      'spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
    ],
    ['spec.devices', devices({ config: [{ opaque: { driver: 'a.b', parameters } }] })],
  ];
  assert.deepEqual(onCreate(resourceClaims, claim, rules), rules);
  const [found] = onUpdate(resourceClaims, claim, [['spec.devices.requests', []]]);
  assert.match(String(found?.[2]), /^spec: Invalid value: .*: field is immutable$/);
});

test('what is not enabled is dropped', () => {
  const draft = withValue(claim, 'spec.devices.requests.0.exactly.capacity', { requests: { a: '1' } });
  assert.deepEqual(created(resourceClaims, draft).spec.devices?.requests?.[0]?.exactly, {
    deviceClassName: 'gpu.example.com',
    allocationMode: 'ExactCount',
    count: 1,
  });
  const named = withValue(sampleOf('resource.k8s.io/deviceclasses', false), 'spec.extendedResourceName', 'a.b/c');
  assert.equal(created(deviceClasses, named).spec.extendedResourceName, undefined);
});

test('the status of claims', () => {
  const result = { request: 'gpu', driver: 'd.example.com', pool: 'p', device: 'd-0' };
  const allocated = { devices: { results: [result] } };
  const consumer = { resource: 'pods', name: 'a', uid: 'u' };
  const results = 'status.allocation.devices.results[0]';
  const rules: Rule[] = [
    ['status', { allocation: allocated, reservedFor: [consumer] }],
    [
      'status',
      { reservedFor: [consumer] },
      'status.reservedFor: Forbidden: may not be specified when `allocated` is not set',
    ],
    [
      'status',
      { allocation: allocated, reservedFor: [consumer, { uid: 'u' }] },
      'status.reservedFor[1].resource: Required value',
      'status.reservedFor[1].name: Required value',
      'status.reservedFor[1]: Duplicate value: "u"',
    ],
    [
      'status',
      { allocation: { devices: { results: [{ ...result, request: 'x', pool: '', device: '' }] } } },
      `${results}.request: Invalid value: "x": ${unknown}`,
      `${results}.pool: Required value`,
      `${results}.device: Invalid value: "": ${label}`,
    ],
    [
      'status',
      { devices: [{ driver: 'd.example.com', pool: 'p', device: 'x' }] },
      'status.devices[0]: Invalid value: {"Driver":"d.example.com","Pool":"p","Device":"x","ShareID":""}: must be an allocated device in the claim',
    ],
    [
      'status',
      { allocation: allocated, devices: [{ ...result, networkData: { ips: ['10.0.0.1', '010.0.0.1/8'] } }] },
      'status.devices[0].networkData.ips[0]: Invalid value: "10.0.0.1": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)',
      'status.devices[0].networkData.ips[1]: Invalid value: "010.0.0.1/8": must be in canonical form ("10.0.0.1/8")',
    ],
  ];
  assert.deepEqual(onSubresource(resourceClaims, 'status', claim, rules), rules);
});

test('slices', () => {
  const base = sampleOf('resource.k8s.io/resourceslices', false);
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  const device = 'spec.devices[0]';
  const rules: Rule[] = [
    ['spec.driver', '', 'spec.driver: Required value'],
    ['spec.pool.name', '', 'spec.pool.name: Required value'],
    ['spec.pool.resourceSliceCount', 0, 'spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero'],
    ['spec.pool.generation', -1, 'spec.pool.generation: Invalid value: -1: must be greater than or equal to zero'],
    ['spec.nodeName', undefined, `spec: Required value: ${one}`],
    [
      'spec.nodeName',
      '',
      'spec.nodeName: Invalid value: "": must be either unset or set to a non-empty string',
      `spec: Required value: ${one}`,
    ],
    ['spec.allNodes', true, `spec: Invalid value: "{\`nodeName\`, \`allNodes\`}": ${one}, but multiple fields are set`],
    ['spec.allNodes', false, 'spec.allNodes: Invalid value: false: must be either unset or set to true'],
    ['spec.devices', [{ name: 'a' }, { name: 'a' }], 'spec.devices[1]: Duplicate value: "a"'],
    [
      'spec.devices.0.attributes',
      { a: {}, 'b/': { bool: true }, c: { version: '1' } },
      `${device}.attributes[a]: Invalid value: "": exactly one value must be specified`,
      `${device}.attributes[b/]: Invalid value: "": the name must not be empty`,
      `${device}.attributes[c].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0`,
    ],
    [
      'spec.devices.0.attributes',
      { a: { bool: true, int: 1 } },
      `${device}.attributes[a]: Invalid value: {"IntValue":1,"BoolValue":true,"StringValue":null,"VersionValue":null}: exactly one value must be specified`,
    ],
    [
      'spec.devices.0.taints',
      [{ key: 'a', effect: 'Leave' }, { key: 'a' }],
      `${device}.taints[0].effect: Unsupported value: "Leave": supported values: "NoExecute", "NoSchedule", "None"`,
      `${device}.taints[1].effect: Required value`,
    ],
    // Partitions of devices are not enabled, and so not looked at.
    ['spec.devices.0.consumesCounters', [{}]],
  ];
  assert.deepEqual(onCreate(resourceSlices, base, rules), rules);
  const updates: Rule[] = [
    ['spec.driver', 'other.example.com', 'spec.driver: Invalid value: "other.example.com": field is immutable'],
    ['spec.pool.name', 'other', 'spec.pool.name: Invalid value: "other": field is immutable'],
    ['spec.nodeName', 'n2', 'spec.nodeName: Invalid value: "n2": field is immutable'],
  ];
  assert.deepEqual(onUpdate(resourceSlices, base, updates), updates);
  assert.deepEqual(
    resourceSlices.warnings?.(created(resourceSlices, withValue(base, 'spec.driver', 'A.b')), undefined),
    ['spec.driver: driver names should be lowercase; "A.b" contains uppercase characters'],
  );
});
