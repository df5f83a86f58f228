import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types/flowcontrol-v1.ts';
import { ApiError } from '../../base/errors.ts';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { seededRandom } from '../../base/random.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { mandatory, suggested } from '../registry/flowcontrol/bootstrap.ts';
import { createFairness } from './fairness.ts';
import type { Exchange, Handle } from './filters.ts';
import { type FlowRequest, inMatchingOrder, schemaFor } from './flow-schemas.ts';

type Asked = Partial<FlowRequest['info']> & { user?: string; groups?: string[] };
const flowRequest = ({ user = 'someone', groups = ['system:authenticated'], ...info }: Asked): FlowRequest => ({
  user: { name: user, groups },
  info: {
    isResource: true,
    verb: 'get',
    prefix: 'api',
    group: '',
    version: 'v1',
    namespace: 'default',
    resource: 'pods',
    subresource: '',
    name: 'a',
    rest: [],
    path: '/api/v1/namespaces/default/pods/a',
    ...info,
  },
});

describe('flow schemas', () => {
  const ordered = inMatchingOrder([...suggested.flowSchemas, ...mandatory.flowSchemas]);
  const probe = { isResource: false, resource: '', namespace: '', path: '/readyz' };
  const leases = { group: 'coordination.k8s.io', resource: 'leases', namespace: 'kube-system' };
  const cases: [string, Asked][] = [
    ['exempt', { groups: ['system:masters'] }],
    ['probes', probe],
    ['global-default', { ...probe, path: '/version' }],
    ['system-leader-election', { ...leases, user: 'system:kube-scheduler' }],
    ['workload-leader-election', { ...leases, user: 'system:serviceaccount:kube-system:x' }],
    ['kube-system-service-accounts', { user: 'system:serviceaccount:kube-system:x' }],
    ['system-node-high', { resource: 'nodes', subresource: 'status', namespace: '', groups: ['system:nodes'] }],
    ['system-nodes', { groups: ['system:nodes'] }],
    ['service-accounts', { groups: ['system:serviceaccounts'] }],
    ['global-default', {}],
  ];
  for (const [name, asked] of cases)
    it(`${name} is for ${JSON.stringify(asked)}`, () =>
      assert.equal(schemaFor(ordered, flowRequest(asked))?.metadata.name, name));
  it('nobody else belongs to none', () => assert.equal(schemaFor(ordered, flowRequest({ groups: [] })), undefined));
});

const level = (name: string, shares: number, queueLengthLimit?: number): PriorityLevelConfiguration => ({
  metadata: { name, uid: `uid-${name}` } as PriorityLevelConfiguration['metadata'],
  spec: {
    type: 'Limited',
    limited: {
      nominalConcurrencyShares: shares,
      limitResponse: queueLengthLimit
        ? { type: 'Queue', queuing: { queues: 1, handSize: 1, queueLengthLimit } }
        : { type: 'Reject' },
    },
  },
});
const schema = (name: string, to: string, user: string): FlowSchema => ({
  metadata: { name, uid: `uid-${name}` } as FlowSchema['metadata'],
  spec: {
    priorityLevelConfiguration: { name: to },
    distinguisherMethod: { type: 'ByUser' },
    rules: [
      {
        subjects: [{ kind: 'User', user: { name: user } }],
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
      },
    ],
  },
});

describe('priority levels', () => {
  function setUp() {
    const clock = virtualClock();
    const environment = { clock, random: seededRandom(1), log: silentLogger, metrics: createMetrics() };
    const fairness = createFairness(environment, { concurrency: 4, queueWaitMs: 1_000 });
    const running: (() => void)[] = [];
    const order: string[] = [];
    const next: Handle = ({ user }) =>
      new Promise(resolve => {
        order.push(user.name);
        running.push(() => resolve({ status: 200, headers: {} }));
      });
    const handle = fairness.filter.wrap(next);
    const headers: Record<string, string> = {};
    const ask = (user: string, more: Asked = {}) => {
      const request = { signal: new AbortController().signal } as Exchange['request'];
      return handle({ ...flowRequest({ user, ...more }), request, headers } as Exchange);
    };
    return { clock, fairness, running, order, ask, headers };
  }
  const refused = (e: unknown) => e instanceof ApiError && e.code === 429;

  it('refuse at once, or let wait as many as they say, and let flows take turns', async () => {
    const { fairness, running, order, ask, headers } = setUp();
    fairness.configure(
      [schema('strict', 'no', 'a'), schema('patient', 'yes', 'b'), schema('patient-too', 'yes', 'c')],
      [level('no', 1), level('yes', 1, 2)],
    );
    const all = [ask('a'), ask('a')];
    await assert.rejects(ask('a'), refused);
    assert.equal(headers['x-kubernetes-pf-flowschema-uid'], 'uid-strict');
    assert.equal(headers['x-kubernetes-pf-prioritylevel-uid'], 'uid-no');
    all.push(ask('b'), ask('b'), ask('b'), ask('b'), ask('c'));
    await assert.rejects(ask('b'), refused);
    assert.deepEqual(order, ['a', 'a', 'b', 'b']);
    while (running.length > 0) {
      running.shift()?.();
      await new Promise(setImmediate);
    }
    await Promise.all(all);
    assert.deepEqual(order, ['a', 'a', 'b', 'b', 'b', 'c', 'b']);
  });
  it('follow what is configured anew, while requests run', async () => {
    const { fairness, running, ask } = setUp();
    fairness.configure([schema('s', 'l', 'a')], [level('l', 1), level('other', 3)]);
    const first = ask('a');
    await assert.rejects(ask('a'), refused);
    fairness.configure([schema('s', 'l', 'a')], [level('l', 1), level('other', 1)]);
    const second = ask('a');
    await assert.rejects(ask('a'), refused);
    fairness.configure([schema('s', 'l', 'a')], [{ ...level('l', 1), spec: { type: 'Exempt' } }]);
    const third = ask('a');
    for (const finish of running) finish();
    assert.equal((await Promise.all([first, second, third])).length, 3);
  });
  it('do not let wait longer than they may, nor count sessions', async () => {
    const { clock, fairness, running, ask } = setUp();
    fairness.configure([schema('s', 'l', 'a')], [level('l', 1, 9), level('other', 3)]);
    const exec = [ask('a', { subresource: 'exec' }), ask('a', { subresource: 'exec' })];
    const first = ask('a');
    const late = assert.rejects(ask('a'), refused);
    await clock.advance(1_000);
    await late;
    for (const finish of running) finish();
    await Promise.all([first, ...exec]);
  });
});
