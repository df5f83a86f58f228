/** Every rule of the storage kinds, one row each, in upstream's words (pkg/apis/storage/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { csiDrivers, csiNodes, csiStorageCapacities, volumeAttachments } from './csi.ts';
import { storageClasses, volumeAttributesClasses } from './storage-class.ts';

const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const name =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const many = Object.fromEntries(Array.from({ length: 513 }, (_, i) => [`k${i}`, '']));

test('storage classes', () => {
  const base = sampleOf('storage.k8s.io/storageclasses', false);
  const term = { matchLabelExpressions: [{ key: 'zone', values: ['a'] }] };
  const at = 'allowedTopologies[0].matchLabelExpressions';
  const rules: Rule[] = [
    ['provisioner', '', 'provisioner: Required value'],
    ['provisioner', 'a/b_', `provisioner: Invalid value: "a/b_": name part ${name}`],
    ['parameters', many, 'parameters: Too long: may not be more than 512 bytes'],
    ['parameters', { '': 'a' }, 'parameters: Invalid value: "": field can not be empty.'],
    ['parameters', { a: 'x'.repeat(262144) }, 'parameters: Too long: may not be more than 262144 bytes'],
    ['reclaimPolicy', 'Recycle', 'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
    [
      'volumeBindingMode',
      'Late',
      'volumeBindingMode: Unsupported value: "Late": supported values: "Immediate", "WaitForFirstConsumer"',
    ],
    ['allowedTopologies', [{ matchLabelExpressions: [{ key: 'zone' }] }], `${at}[0].values: Required value`],
    [
      'allowedTopologies',
      [
        {
          matchLabelExpressions: [
            { key: 'zone', values: ['a', 'a'] },
            { key: 'zone', values: ['b'] },
          ],
        },
      ],
      `${at}[0].values[1]: Duplicate value: "a"`,
      `${at}[1].key: Duplicate value: "zone"`,
    ],
    ['allowedTopologies', [term, term], 'allowedTopologies[1].matchLabelExpressions: Duplicate value: ""'],
    ['allowedTopologies', [{}], `${at}: Duplicate value: ""`],
  ];
  assert.deepEqual(onCreate(storageClasses, base, rules), rules);
  const updates: Rule[] = [
    ['provisioner', 'b', 'provisioner: Forbidden: updates to provisioner are forbidden.'],
    ['parameters', { a: 'b' }, 'parameters: Forbidden: updates to parameters are forbidden.'],
    ['reclaimPolicy', 'Retain', 'reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.'],
    [
      'volumeBindingMode',
      'WaitForFirstConsumer',
      'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
    ],
  ];
  assert.deepEqual(onUpdate(storageClasses, base, updates), updates);
  const old = { matchLabelExpressions: [{ key: 'failure-domain.beta.kubernetes.io/zone', values: ['a'] }] };
  assert.deepEqual(
    storageClasses.warnings?.(created(storageClasses, { ...base, allowedTopologies: [old] }), undefined),
    [
      'allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    ],
  );
});

test('volume attributes classes', () => {
  const base = sampleOf('storage.k8s.io/volumeattributesclasses', false);
  const rules: Rule[] = [
    ['driverName', '', 'driverName: Required value'],
    ['parameters', {}, 'parameters: Required value: must contain at least one key/value pair'],
  ];
  assert.deepEqual(onCreate(volumeAttributesClasses, base, rules), rules);
  const updates: Rule[] = [
    ['driverName', 'b', 'driverName: Forbidden: updates to driverName are forbidden.'],
    ['parameters', { a: 'b' }, 'parameters: Forbidden: updates to parameters are forbidden.'],
  ];
  assert.deepEqual(onUpdate(volumeAttributesClasses, base, updates), updates);
});

test('CSI drivers', () => {
  const base = sampleOf('storage.k8s.io/csidrivers', false);
  const request = 'spec.tokenRequests[0].expirationSeconds';
  const rules: Rule[] = [
    [
      'spec.fsGroupPolicy',
      'Some',
      'spec.fsGroupPolicy: Unsupported value: "Some": supported values: "File", "None", "ReadWriteOnceWithFSType"',
    ],
    [
      'spec.tokenRequests',
      [{ audience: 'a', expirationSeconds: 599 }],
      `${request}: Invalid value: 599: may not specify a duration less than 10 minutes`,
    ],
    [
      'spec.tokenRequests',
      [{ audience: 'a', expirationSeconds: 4294967297 }],
      `${request}: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds`,
    ],
    [
      'spec.tokenRequests',
      [{ audience: 'a' }, { audience: 'a', expirationSeconds: 1 }],
      'spec.tokenRequests[1].audience: Duplicate value: "a"',
    ],
    [
      'spec.volumeLifecycleModes',
      ['Long'],
      'spec.volumeLifecycleModes: Unsupported value: "Long": supported values: "Persistent", "Ephemeral"',
    ],
    [
      'spec.nodeAllocatableUpdatePeriodSeconds',
      9,
      'spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds',
    ],
    [
      'spec.serviceAccountTokenInSecrets',
      true,
      'spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified',
    ],
  ];
  assert.deepEqual(onCreate(csiDrivers, base, rules), rules);
  const updates: Rule[] = [
    ['spec.attachRequired', false, 'spec.attachedRequired: Invalid value: false: field is immutable'],
    [
      'spec.volumeLifecycleModes',
      ['Ephemeral'],
      'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
    ],
    ['spec.podInfoOnMount', true],
  ];
  assert.deepEqual(onUpdate(csiDrivers, base, updates), updates);
  const warned = created(csiDrivers, withValue(base, 'spec.tokenRequests', [{ audience: 'a' }]));
  assert.equal(csiDrivers.warnings?.(warned, undefined).length, 1);
  assert.deepEqual(csiDrivers.warnings?.(warned, warned), []);
  assert.equal(cells(csiDrivers, warned)['TokenRequests'], 'a');
});

test('CSI nodes', () => {
  const base = sampleOf('storage.k8s.io/csinodes', false);
  const long = 'x'.repeat(257);
  const rules: Rule[] = [
    ['spec.drivers.0.name', '', 'spec.drivers[0].name: Required value'],
    ['spec.drivers.0.name', 'a'.repeat(64), 'spec.drivers[0].name: Too long: may not be more than 63 bytes'],
    ['spec.drivers.0.nodeID', '', 'spec.drivers[0].nodeID: Required value'],
    ['spec.drivers.0.nodeID', long, `spec.drivers[0].nodeID: Invalid value: "${long}": must be 256 characters or less`],
    [
      'spec.drivers.0.allocatable',
      { count: -1 },
      'spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0',
    ],
    ['spec.drivers.0.topologyKeys', ['a', 'a'], 'spec.drivers[0]: Duplicate value: "a"'],
    [
      'spec.drivers',
      [
        { name: 'a', nodeID: '1' },
        { name: 'a', nodeID: '2' },
      ],
      'spec.drivers[1].name: Duplicate value: "a"',
    ],
  ];
  assert.deepEqual(onCreate(csiNodes, base, rules), rules);
  const updates: Rule[] = [
    ['spec.drivers.0.allocatable', { count: 3 }],
    [
      'spec.drivers.0.nodeID',
      'n2',
      'spec.drivers: Invalid value: {"Name":"disk.example.com","NodeID":"n2","TopologyKeys":["zone"],"Allocatable":null}: field is immutable',
    ],
    ['spec.drivers', []],
  ];
  assert.deepEqual(onUpdate(csiNodes, base, updates), updates);
});

test('CSI storage capacities', () => {
  const base = sampleOf('storage.k8s.io/csistoragecapacities', true);
  const rules: Rule[] = [
    ['storageClassName', '', `storageClassName: Invalid value: "": ${subdomain}`],
    ['capacity', '-1', 'capacity: Invalid value: "-1": must be greater than or equal to 0'],
  ];
  assert.deepEqual(onCreate(csiStorageCapacities, base, rules), rules);
  const updates: Rule[] = [
    ['storageClassName', 'slow', 'storageClassName: Invalid value: "slow": field is immutable'],
    [
      'nodeTopology',
      { matchLabels: { a: 'b' } },
      'nodeTopology: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable',
    ],
    ['capacity', '2Gi'],
  ];
  assert.deepEqual(onUpdate(csiStorageCapacities, base, updates), updates);
});

test('volume attachments', () => {
  const base = sampleOf('storage.k8s.io/volumeattachments', false);
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  const rules: Rule[] = [
    ['spec.attacher', '', 'spec.attacher: Required value', 'spec.attacher: Required value'],
    ['spec.nodeName', '', `spec.nodeName: Invalid value: "": ${subdomain}`],
    ['spec.source', {}, `spec.source: Required value: ${one}`],
    [
      'spec.source',
      { persistentVolumeName: '' },
      'spec.source.persistentVolumeName: Required value: must specify non empty persistentVolumeName',
      `spec.source.persistentVolumeName: Invalid value: "": ${subdomain}`,
    ],
    ['spec.source.inlineVolumeSpec', {}, `spec.source: Forbidden: ${one}`],
  ];
  assert.deepEqual(onCreate(volumeAttachments, base, rules), rules);
  const updates: Rule[] = [
    [
      'spec.nodeName',
      'n2',
      'spec: Invalid value: {"Attacher":"disk.example.com","Source":{"PersistentVolumeName":"pv1","InlineVolumeSpec":null},"NodeName":"n2"}: field is immutable',
    ],
  ];
  assert.deepEqual(onUpdate(volumeAttachments, base, updates), updates);
  const status: Rule[] = [
    ['spec.nodeName', 'n2'],
    [
      'status.attachError',
      { message: 'x'.repeat(1025), errorCode: -1 },
      'status.attachError.message: Too long: may not be more than 262144 bytes',
      'status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive',
    ],
    [
      'status.attachmentMetadata',
      { a: 'x'.repeat(262144) },
      'status.attachmentMetadata: Too long: may not be more than 262144 bytes',
    ],
  ];
  assert.deepEqual(onSubresource(volumeAttachments, 'status', base, status), status);
});
