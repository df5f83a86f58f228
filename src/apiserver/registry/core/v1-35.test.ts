/** What came to core/v1 with v1.34 and v1.35, rule by rule in upstream's words. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, context, created, onCreate, onSubresource, type Rule, texts, withValue } from '../testing.ts';
import { serviceAccounts } from './config.ts';
import { pods } from './pod.ts';
import { resourceQuotas } from './policy.ts';
import { services } from './service.ts';
import { persistentVolumeClaims } from './storage.ts';

const base = {
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx:1' }] },
};
const main = 'spec.containers.0';
const at = 'spec.containers[0]';

describe('pods', () => {
  test('whose containers have restart rules', () => {
    const rule = { action: 'Restart', exitCodes: { operator: 'In', values: [1] } };
    const rules = (list: object[], ...errors: string[]): Rule => [
      main,
      { name: 'main', image: 'nginx:1', restartPolicy: 'Never', restartPolicyRules: list },
      ...errors,
    ];
    const path = `${at}.restartPolicyRules`;
    const cases: Rule[] = [
      rules([rule]),
      [
        `${main}.restartPolicy`,
        'Perhaps',
        `${at}.restartPolicy: Unsupported value: "Perhaps": supported values: "Always", "Never", "OnFailure"`,
      ],
      [
        `${main}.restartPolicyRules`,
        [rule],
        `${at}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
      ],
      rules(
        Array.from({ length: 21 }, () => rule),
        `${path}: Too long: may not be more than 20 bytes`,
      ),
      rules(
        [{ ...rule, action: 'RestartAllContainers' }],
        `${path}[0].action: Unsupported value: "RestartAllContainers": supported values: "Restart"`,
      ),
      rules([{ action: 'Restart' }], `${path}[0].exitCodes: Required value: must be specified`),
      rules(
        [{ ...rule, exitCodes: { operator: 'Is' } }],
        `${path}[0].exitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn"`,
      ),
      rules(
        [{ ...rule, exitCodes: { operator: 'In', values: Array.from({ length: 256 }, (_, i) => i) } }],
        `${path}[0].exitCodes.values: Too long: may not be more than 255 bytes`,
      ),
      [
        'spec.initContainers',
        [{ name: 'side', image: 'a', restartPolicy: 'Always', restartPolicyRules: [rule] }],
        'spec.initContainers[0].restartPolicyRules: Forbidden: restartPolicyRules are not allowed for init containers with restart policy Always',
      ],
    ];
    assert.deepEqual(onCreate(pods, base, cases), cases);
  });
  test('in user namespaces, with other hostnames, with comparing tolerations', () => {
    const own = withValue(base, 'spec.hostUsers', false);
    const why = 'when `hostUsers` is false';
    const users: Rule[] = [
      ['spec.hostNetwork', true, `spec.hostNetwork: Forbidden: ${why}`],
      ['spec.hostPID', true, `spec.HostPID: Forbidden: ${why}`],
      ['spec.hostIPC', true, `spec.HostIPC: Forbidden: ${why}`],
    ];
    assert.deepEqual(onCreate(pods, own, users), users);
    const named = withValue(base, 'spec.hostnameOverride', 'web.example.com');
    const names: Rule[] = [
      [
        'spec.setHostnameAsFQDN',
        true,
        'spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true',
      ],
      ['spec.hostNetwork', true, 'spec.hostnameOverride: Forbidden: may not be specified when hostNetwork is true'],
      ['spec.hostnameOverride', 'x'.repeat(65), 'spec.hostnameOverride: Too long: may not be more than 64 bytes'],
    ];
    assert.deepEqual(onCreate(pods, named, names), names);
    const tolerations: Rule[] = [
      [
        'spec.tolerations',
        [{ key: 'a', operator: 'Lt', value: '5' }],
        'spec.tolerations[0].operator: Unsupported value: "Lt": supported values: "Equal", "Exists", "Lt", "Gt"',
      ],
    ];
    assert.deepEqual(onCreate(pods, base, tolerations), tolerations);
  });
  test('with variables from files', () => {
    const path = `${at}.env[0].valueFrom.fileKeyRef`;
    const env = (ref: object, ...errors: string[]): Rule => [
      `${main}.env`,
      [{ name: 'A', valueFrom: { fileKeyRef: { key: 'A', path: 'env', volumeName: 'files', ...ref } } }],
      ...errors,
    ];
    const files = withValue(base, 'spec.volumes', [
      { name: 'files', emptyDir: {} },
      { name: 'other', hostPath: { path: '/x' } },
    ]);
    const cases: Rule[] = [
      env({}),
      env({ key: '' }, `${path}.key: Required value`),
      env({ path: '' }, `${path}.path: Required value`),
      env({ path: '../env' }, `${path}.path: Invalid value: "../env": must not contain '..'`),
      env({ volumeName: '' }, `${path}.volumeName: Required value`, `${path}.volumeName: Not found: ""`),
      env({ volumeName: 'none' }, `${path}.volumeName: Not found: "none"`),
      env(
        { volumeName: 'other' },
        `${path}.volumeName: Invalid value: "other": referenced volume must be of type emptyDir`,
      ),
    ];
    assert.deepEqual(onCreate(pods, files, cases), cases);
  });
  test('with resources of their own', () => {
    const cases: Rule[] = [
      [
        'spec.resources',
        { requests: { cpu: '1' }, claims: [{ name: 'a' }] },
        'spec.resources.claims: Forbidden: claims may not be set for Resources at pod-level',
      ],
      [
        main,
        { name: 'main', image: 'nginx:1', resources: { requests: { cpu: '2' } } },
        'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
      ],
      [main, { name: 'main', image: 'nginx:1', resources: { requests: { memory: '1Gi' } } }],
      ['spec.os', { name: 'windows' }, 'spec.resources: Forbidden: may not be set for a windows pod'],
    ];
    const draft = withValue(base, 'spec.resources', { requests: { cpu: '1' } });
    assert.deepEqual(onCreate(pods, draft, cases), cases);
  });
  test('spread by keys of their labels', () => {
    const constraint = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' };
    const spread = (more: object, ...errors: string[]): Rule => [
      'spec.topologySpreadConstraints',
      [{ ...constraint, ...more }],
      ...errors,
    ];
    const path = 'spec.topologySpreadConstraints[0]';
    const cases: Rule[] = [
      spread({ labelSelector: {}, matchLabelKeys: ['app'] }),
      spread(
        { matchLabelKeys: ['app'] },
        `${path}.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set`,
      ),
      spread(
        { labelSelector: { matchLabels: { app: 'web' } }, matchLabelKeys: ['app'] },
        `${path}[0]: Invalid value: "app": exists in both matchLabelKeys and labelSelector`,
      ),
    ];
    assert.deepEqual(onCreate(pods, base, cases), cases);
  });
  test('that are bound are nominated no more', () => {
    const bound = withValue(base, 'spec.nodeName', 'n1');
    const cases: Rule[] = [
      [
        'status.nominatedNodeName',
        'n2',
        'status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node',
      ],
    ];
    assert.deepEqual(onSubresource(pods, 'status', bound, cases), cases);
    const free: Rule[] = [['status.nominatedNodeName', 'n2']];
    assert.deepEqual(onSubresource(pods, 'status', base, free), free);
  });
  test('restart a container when a rule names its exit code', () => {
    const rule = { action: 'Restart', exitCodes: { operator: 'In', values: [7] } };
    const draft = withValue(base, main, {
      name: 'main',
      image: 'a',
      restartPolicy: 'Never',
      restartPolicyRules: [rule],
    });
    const restart = (exitCode: number) => {
      const old = created(pods, draft);
      const status = { name: 'main', image: 'a', imageID: '', ready: false, restartCount: 0 };
      old.status = { ...old.status, containerStatuses: [{ ...status, state: { terminated: { exitCode } } }] };
      const now = structuredClone(old);
      now.status = { ...old.status, containerStatuses: [{ ...status, state: { running: {} } }] };
      return texts(pods.subresources?.['status']?.validateUpdate?.(now, old, context));
    };
    assert.deepEqual(restart(7), []);
    assert.deepEqual(restart(8), [
      'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
    ]);
  });
});

test('quotas warn of requests above limits', () => {
  const hard = { cpu: '2', 'limits.cpu': '1', 'requests.storage': '1Gi', 'limits.memory': '1', 'requests.memory': '1' };
  const quota = created(resourceQuotas, withValue(sampleOf('/resourcequotas', true), 'spec.hard', hard));
  assert.deepEqual(resourceQuotas.warnings?.(quota, undefined), [
    'ResourceQuota cpu (2) should be less than limits.cpu (1)',
  ]);
  assert.deepEqual(resourceQuotas.warnings?.(quota, quota), []);
});

test('services warn of old words and odd addresses', () => {
  const draft = withValue(sampleOf('/services', true), 'spec.trafficDistribution', 'PreferClose');
  const service = created(services, withValue(draft, 'spec.externalIPs', ['010.0.0.1']));
  assert.deepEqual(services.warnings?.(service, undefined), [
    'spec.externalIPs[0]: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes release: use "10.0.0.1"',
    'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
  ]);
});

test('claims give up their attributes class only before it is applied', () => {
  const draft = withValue(sampleOf('/persistentvolumeclaims', true), 'spec.volumeAttributesClassName', 'gold');
  const change = (applied: boolean, name: string | undefined) => {
    const old = created(persistentVolumeClaims, draft);
    old.status = { phase: 'Bound', ...(applied && { currentVolumeAttributesClassName: 'gold' }) };
    const claim = withValue(old, 'spec.volumeAttributesClassName', name) as typeof old;
    return texts(persistentVolumeClaims.validateUpdate?.(claim, old, context));
  };
  const path = 'spec.volumeAttributesClassName: Forbidden';
  const applied = 'is forbidden when status.currentVolumeAttributesClassName is not nil';
  assert.deepEqual(change(false, undefined), []);
  assert.deepEqual(change(true, 'silver'), []);
  assert.deepEqual(change(true, undefined), [`${path}: update to nil ${applied}`]);
  assert.deepEqual(change(true, ''), [`${path}: update to empty string ${applied}`]);
});

test('tables of service accounts no longer count secrets', () => {
  const account = created(serviceAccounts, sampleOf('/serviceaccounts', true));
  assert.deepEqual(Object.keys(cells(serviceAccounts, account)), ['Name', 'Age']);
});

test('claims are filled from two fields that mirror each other, and old garbage is dropped', () => {
  const sources = (source: object) => {
    const draft = withValue(sampleOf('/persistentvolumeclaims', true), 'spec', {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...source,
    });
    const { dataSource, dataSourceRef } = created(persistentVolumeClaims, draft).spec;
    return [dataSource, dataSourceRef];
  };
  const claim = { kind: 'PersistentVolumeClaim', name: 'a' };
  const other = { apiGroup: 'example.com', kind: 'Populator', name: 'a' };
  assert.deepEqual(sources({ dataSource: claim }), [claim, claim]);
  assert.deepEqual(sources({ dataSource: other }), [undefined, undefined]);
  assert.deepEqual(sources({ dataSource: {} }), [undefined, undefined]);
  assert.deepEqual(sources({ dataSourceRef: other }), [other, other]);
  assert.deepEqual(sources({ dataSourceRef: { ...other, namespace: 'b' } }), [undefined, undefined]);
});

test('the first address of a pod is that of older kubelets', () => {
  const addresses = (status: object) => {
    const pod = created(pods, base);
    pod.status = status;
    pods.default?.(pod);
    return [pod.status.podIP, pod.status.podIPs];
  };
  assert.deepEqual(addresses({ podIP: '10.0.0.1' }), ['10.0.0.1', [{ ip: '10.0.0.1' }]]);
  assert.deepEqual(addresses({ podIPs: [{ ip: '10.0.0.1' }] }), ['10.0.0.1', [{ ip: '10.0.0.1' }]]);
  assert.deepEqual(addresses({ podIP: '10.0.0.2', podIPs: [{ ip: '10.0.0.1' }] }), ['10.0.0.2', [{ ip: '10.0.0.2' }]]);
  assert.deepEqual(addresses({}), [undefined, undefined]);
});
