import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareQuantity } from '../quantity.ts';
import type { Pod, PodSpec, ResourceQuota } from '../types/core-v1.ts';
import {
  addLists,
  equalLists,
  evaluatorFor,
  exceeding,
  maxLists,
  podLimits,
  podRequests,
  qosClass,
  quotaMatches,
  resourceOfQuotaName,
  subtractLists,
  subtractToZero,
  totalUsage,
} from './index.ts';

const container = (requests: object, limits: object = {}, rest: object = {}) => ({
  name: 'c',
  resources: { requests, limits },
  ...rest,
});
const spec = (containers: object[], rest: object = {}): PodSpec => ({ containers, ...rest }) as PodSpec;
const sidecar = (requests: object) => container(requests, {}, { restartPolicy: 'Always' });

describe('what a pod asks for', () => {
  const cases: [string, PodSpec, Record<string, string>][] = [
    [
      'sums containers',
      spec([container({ cpu: '1' }), container({ cpu: '500m', memory: '1Gi' })]),
      { cpu: '1500m', memory: '1Gi' },
    ],
    [
      'takes the largest init container',
      spec([container({ cpu: '1' })], { initContainers: [container({ cpu: '2' }), container({ cpu: '3' })] }),
      { cpu: '3' },
    ],
    ['adds sidecars', spec([container({ cpu: '1' })], { initContainers: [sidecar({ cpu: '2' })] }), { cpu: '3' }],
    [
      'adds sidecars to init containers that start after them',
      spec([container({ cpu: '1' })], { initContainers: [sidecar({ cpu: '2' }), container({ cpu: '5' })] }),
      { cpu: '7' },
    ],
    [
      'does not add sidecars to earlier init containers',
      spec([container({ cpu: '1' })], { initContainers: [container({ cpu: '5' }), sidecar({ cpu: '2' })] }),
      { cpu: '5' },
    ],
    [
      'adds overhead',
      spec([container({ cpu: '1' })], { overhead: { cpu: '100m', memory: '1Mi' } }),
      { cpu: '1100m', memory: '1Mi' },
    ],
    [
      'prefers what is set for the pod',
      spec([container({ cpu: '1', 'acme.com/gpu': '1' })], {
        resources: { requests: { cpu: '4', 'acme.com/gpu': '9' } },
      }),
      { cpu: '4', 'acme.com/gpu': '1' },
    ],
  ];
  for (const [title, pod, expected] of cases) it(title, () => assert.deepEqual(podRequests(pod), expected));

  it('adds overhead only to limits that are there', () => {
    assert.deepEqual(podLimits(spec([container({}, { cpu: '1' })], { overhead: { cpu: '1', memory: '1Mi' } })), {
      cpu: '2',
    });
  });

  it('tells its quality of service', () => {
    const classes: [PodSpec, string][] = [
      [spec([container({})]), 'BestEffort'],
      [spec([container({ cpu: '0' })]), 'BestEffort'],
      [spec([container({ 'acme.com/gpu': '1' })]), 'BestEffort'],
      [spec([container({ cpu: '1' })]), 'Burstable'],
      [spec([container({}, { cpu: '1', memory: '1Gi' })]), 'Guaranteed'],
      [spec([container({ cpu: '1' }, { cpu: '1', memory: '1Gi' })]), 'Guaranteed'],
      [spec([container({ cpu: '1' }, { cpu: '2', memory: '1Gi' })]), 'Burstable'],
      [spec([container({}, { cpu: '1', memory: '1Gi' }), container({})]), 'Burstable'],
    ];
    for (const [pod, expected] of classes) assert.equal(qosClass(pod), expected, JSON.stringify(pod));
  });
});

const quantity = fc.tuple(fc.nat(5000), fc.constantFrom('', 'm', 'Ki', 'Mi', 'k')).map(([n, s]) => `${n}${s}`);
const list = fc.dictionary(fc.constantFrom('cpu', 'memory', 'pods'), quantity);

describe('lists of resources', () => {
  it('obey the laws of arithmetic', () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        assert.ok(equalLists(addLists(a, b), addLists(b, a)));
        assert.ok(
          equalLists(
            subtractLists(addLists(a, b), b),
            addLists(a, Object.fromEntries(Object.keys(b).map(k => [k, '0']))),
          ),
        );
        for (const v of Object.values(subtractToZero(a, b))) assert.ok(compareQuantity(v, '0') >= 0);
        assert.deepEqual(exceeding(a, maxLists(a, b)), []);
      }),
    );
  });
});

describe('usage', () => {
  const pod = (metadata: object = {}, status: object = {}): Pod =>
    ({ metadata: { name: 'p', ...metadata }, spec: spec([container({ cpu: '1' })]), status }) as Pod;
  const quota = (hard: Record<string, string>, scopes?: string[]): ResourceQuota => ({
    metadata: { name: 'q' },
    spec: { hard, ...(scopes && { scopes }) },
  });
  const pods = evaluatorFor('', 'pods');

  it('of pods ends with them', () => {
    const now = Date.UTC(2026, 0, 1);
    const deleted = (secondsAgo: number) => ({
      deletionTimestamp: new Date(now - secondsAgo * 1000).toISOString(),
      deletionGracePeriodSeconds: 30,
    });
    const charged = (p: Pod) => pods.usage(p, now)['pods'] !== undefined;
    assert.ok(charged(pod()) && charged(pod(deleted(29))) && !charged(pod(deleted(31))));
    assert.ok(!charged(pod({}, { phase: 'Failed' })) && !charged(pod({}, { phase: 'Succeeded' })));
    assert.equal(pods.usage(pod({}, { phase: 'Failed' }), now)['count/pods'], '1');
  });

  it('is the sum over what matches', () => {
    const bestEffort = { metadata: { name: 'b' }, spec: spec([container({})]) } as Pod;
    const all = [pod(), pod(), bestEffort];
    assert.deepEqual(totalUsage(pods, quota({ pods: '9', 'requests.cpu': '9', services: '1' }), all, 0), {
      pods: '3',
      'requests.cpu': '2',
    });
    assert.deepEqual(totalUsage(pods, quota({ pods: '9' }, ['BestEffort']), all, 0), { pods: '1' });
    assert.deepEqual(totalUsage(pods, quota({ pods: '9' }), [], 0), { pods: '0' });
    assert.equal(quotaMatches(pods, quota({ services: '1' }), pod()), false);
  });

  it('knows which resource a name counts', () => {
    const names: [string, string | undefined][] = [
      ['pods', '/pods'],
      ['requests.cpu', '/pods'],
      ['requests.acme.com/gpu', '/pods'],
      ['services.nodeports', '/services'],
      ['gold.storageclass.storage.k8s.io/persistentvolumeclaims', '/persistentvolumeclaims'],
      ['gpu.deviceclass.resource.k8s.io/devices', 'resource.k8s.io/resourceclaims'],
      ['count/widgets.acme.com', 'acme.com/widgets'],
      ['count/secrets', '/secrets'],
      ['secrets', '/secrets'],
      ['nonsense', undefined],
    ];
    for (const [name, expected] of names) {
      const found = resourceOfQuotaName(name);
      assert.equal(found && `${found.group}/${found.plural}`, expected, name);
      if (found) assert.deepEqual(evaluatorFor(found.group, found.plural).matchingResources([name]), [name], name);
    }
  });
});
