import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/types/flowcontrol-v1.ts';
import { ApiError } from '../../base/errors.ts';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { seededRandom } from '../../base/random.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { mandatory, suggested } from '../registry/flowcontrol/bootstrap.ts';
import { createFairness, type FairnessOptions } from './fairness.ts';
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
    ['system-leader-election', { ...leases, user: 'system:serviceaccount:kube-system:x' }],
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
        ? { type: 'Queue', queuing: { queues: 64, handSize: 1, queueLengthLimit } }
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
  function setUp(more: Partial<FairnessOptions> = {}) {
    const clock = virtualClock();
    const metrics = createMetrics();
    const environment = { clock, random: seededRandom(1), log: silentLogger, metrics };
    const fairness = createFairness(environment, { concurrency: 4, queueWaitMs: 60_000, ...more });
    const running: (() => void)[] = [];
    const order: string[] = [];
    const next: Handle = ({ user }) =>
      new Promise(resolve => {
        order.push(user.name);
        running.push(() => resolve({ status: 200, headers: {} }));
      });
    const handle = fairness.filter.wrap(next);
    const headers: Record<string, string> = {};
    const ask = async (user: string, more: Asked = {}) => {
      const request = { signal: new AbortController().signal, query: new URLSearchParams() } as Exchange['request'];
      return handle({ ...flowRequest({ user, ...more }), request, headers } as Exchange);
    };
    return { clock, metrics, fairness, running, order, ask, headers };
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
    // Whichever queue is first: c does not wait for all of b's.
    assert.deepEqual(order.slice(0, 4), ['a', 'a', 'b', 'b']);
    assert.equal(order.at(-1), 'b');
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
  it('give a wide list as many seats as it takes, and tell what happens', async () => {
    const { fairness, running, ask, metrics } = setUp({
      concurrency: 40,
      sizeOf: () => ({ count: 1_000, average: 1_000 }),
    });
    fairness.configure([schema('s', 'l', 'a')], [level('l', 1)]);
    const list = ask('a', { verb: 'list', name: '', path: '/api/v1/pods' });
    const labels = { priority_level: 'l', flow_schema: 's' };
    // Ten seats by its size, but no more than 15% of the level.
    assert.equal(metrics.gauge('apiserver_flowcontrol_current_executing_seats', '').value(labels), 6);
    for (const finish of running) finish();
    await list;
    assert.equal(metrics.gauge('apiserver_flowcontrol_current_executing_seats', '').value(labels), 0);
    assert.equal(metrics.counter('apiserver_flowcontrol_dispatched_requests_total', '').value(labels), 1);
    assert.equal(metrics.gauge('apiserver_flowcontrol_nominal_limit_seats', '').value({ priority_level: 'l' }), 40);
  });
  it('lend what they do not need', async () => {
    const { clock, fairness, running, ask } = setUp({ concurrency: 8 });
    const lending = level('idle', 1);
    if (lending.spec.limited) lending.spec.limited.lendablePercent = 100;
    fairness.configure([schema('s', 'busy', 'a')], [level('busy', 1, 9), lending]);
    const stop = new AbortController();
    fairness.start(stop.signal);
    const all = Array.from({ length: 9 }, () => ask('a').catch(() => undefined));
    assert.equal(running.length, 4);
    await clock.advance(10_000);
    assert.equal(running.length, 8);
    stop.abort();
    running[0]?.();
    await new Promise(setImmediate);
    for (const finish of running) finish();
    await Promise.all(all);
  });
  it('do not let wait longer than they may, nor count sessions', async () => {
    const { clock, fairness, running, ask } = setUp({ queueWaitMs: 1_000 });
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
