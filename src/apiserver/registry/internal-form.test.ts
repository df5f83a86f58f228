/** Objects in messages, as upstream's internal types print them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deployments } from './apps/deployment.ts';
import { jobs } from './batch/job.ts';
import { pods } from './core/pod.ts';
import { resourceQuotas } from './core/policy.ts';
import { persistentVolumes } from './core/storage.ts';
import { inside, internalForm, shownSelector } from './internal-form.ts';
import { sampleOf } from './samples.ts';
import { onCreate, onUpdate, type Rule, withValue } from './testing.ts';

test('fields have their names, order and zero values', () => {
  const type = {
    SELinuxOptions: { Type: '' },
    IP: '',
    NonResourceURLs: null,
    Ports: [{ HostPort: 0 }],
    Inside: inside({ TTY: false }),
    Labels: null,
  } as const;
  assert.deepEqual(Object.entries(internalForm(type, { labels: { b: '2', a: '1' }, ports: [{}], ip: 'x' }) ?? {}), [
    ['SELinuxOptions', null],
    ['IP', 'x'],
    ['NonResourceURLs', null],
    ['Ports', [{ HostPort: 0 }]],
    ['Inside', { TTY: false }],
    ['Labels', { a: '1', b: '2' }],
  ]);
  assert.equal(internalForm(type, undefined), null);
  assert.equal(JSON.stringify(shownSelector({ matchLabels: { b: '', a: '' } })), '{"matchLabels":{"a":"","b":""}}');
});

const pod = { metadata: { name: 'p', namespace: 'default' }, spec: { containers: [{ name: 'c', image: 'i' }] } };

describe('what messages show', () => {
  test('of pods', () => {
    const context = { privileged: true, allowPrivilegeEscalation: false };
    const claim = 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`';
    const rules: Rule[] = [
      [
        'spec.containers.0.securityContext',
        context,
        'spec.containers[0].securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ],
      [
        'spec.resourceClaims',
        [{ name: 'a' }],
        `spec.resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: ${claim}`,
      ],
      [
        'spec.nodeName',
        'a\t<b>',
        "spec.nodeName: Invalid value: \"a\\t<b>\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ],
    ];
    assert.deepEqual(onCreate(pods, pod, rules), rules);
  });

  test('of quotas', () => {
    const scopes = { matchExpressions: [{ scopeName: 'BestEffort', operator: 'Exists' }] };
    const rules: Rule[] = [
      [
        'spec',
        { hard: { 'requests.cpu': '1' }, scopeSelector: scopes },
        'spec.scopeSelector.matchExpressions: Invalid value: {"MatchExpressions":[{"ScopeName":"BestEffort","Operator":"Exists","Values":null}]}: unsupported scope applied to resource',
      ],
    ];
    assert.deepEqual(onCreate(resourceQuotas, sampleOf('/resourcequotas', true), rules), rules);
  });

  test('of fixed selectors and policies', () => {
    const selector = { matchLabels: { b: '<2>', a: '1' } };
    const shown = '{"matchLabels":{"a":"1","b":"\\u003c2\\u003e"}}';
    const changed = onUpdate(deployments, sampleOf('apps/deployments', true), [['spec.selector', selector]]);
    const errors = changed.flatMap(([, , ...complaints]) => complaints);
    assert.ok(errors.includes(`spec.selector: Invalid value: ${shown}: field is immutable`), String(errors));
    const policy = { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }] };
    const given = onUpdate(jobs, sampleOf('batch/jobs', true), [['spec.podFailurePolicy', policy]]);
    const found = given.flatMap(([, , ...complaints]) => complaints);
    const rule =
      '{"Action":"Ignore","OnExitCodes":null,"OnPodConditions":[{"Type":"DisruptionTarget","Status":"True"}]}';
    const refused = `spec.podFailurePolicy: Invalid value: {"Rules":[${rule}]}: field is immutable`;
    assert.ok(found.includes(refused), String(found));
  });
});

test('labels of old in the affinity of a volume may become those of today, and its class stays', () => {
  const affinity = (key: string, ...values: string[]) => ({
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values }] }] },
  });
  const sample = withValue(sampleOf('/persistentvolumes', false), 'spec.volumeAttributesClassName', 'gold');
  const old = withValue(sample, 'spec.nodeAffinity', affinity('failure-domain.beta.kubernetes.io/zone', 'a'));
  const rules: Rule[] = [
    ['spec.nodeAffinity', affinity('topology.kubernetes.io/zone', 'a')],
    [
      'spec.nodeAffinity',
      affinity('topology.kubernetes.io/zone', 'b'),
      'nodeAffinity: Invalid value: {"Required":{"NodeSelectorTerms":[{"MatchExpressions":[{"Key":"topology.kubernetes.io/zone","Operator":"In","Values":["b"]}],"MatchFields":null}]}}: field is immutable, except for updating from beta label to GA',
    ],
    [
      'spec.volumeAttributesClassName',
      undefined,
      'spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden',
    ],
  ];
  const found = onUpdate(persistentVolumes, old, rules).map(([path, value, ...errors]) => [
    path,
    value,
    ...errors.filter(e => !e.includes('spec.csi')),
  ]);
  assert.deepEqual(found, rules);
});
