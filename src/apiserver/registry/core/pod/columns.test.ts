/** What `kubectl get pods` shows for each state a pod can be in (the cases of upstream's TestPrintPod). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStatus, Pod } from '../../../../api/types/core-v1.ts';
import { created } from '../../testing.ts';
import { pods } from '../pod.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const fiveMinutesAgo = '2026-01-01T00:55:00Z';
const container = (name: string, more: object = {}) => ({ name, image: 'x', ...more });
const draft = (spec: object = {}) => ({
  metadata: { name: 'web', namespace: 'default', creationTimestamp: fiveMinutesAgo },
  spec: { containers: [container('a'), container('b')], ...spec },
});
const cellsOf = (pod: Pod) => (pods.columns ?? []).map(column => column.cell(pod, now));

type State = NonNullable<ContainerStatus['state']>;
const status = (name: string, state: State, more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name,
  image: 'x',
  imageID: '',
  ready: false,
  restartCount: 0,
  state,
  ...more,
});
const running: State = { running: {} };
const done: State = { terminated: { exitCode: 0, reason: 'Completed' } };
const failed: State = { terminated: { exitCode: 1, reason: 'Error' } };
const ready = { ready: true };
const ended = { lastState: { terminated: { exitCode: 1, finishedAt: fiveMinutesAgo } } };
const isReady = [{ type: 'Ready', status: 'True' }];
const initialized = [{ type: 'Initialized', status: 'True' }];
const init = { initContainers: [container('i'), container('j')] };
const sidecar = { initContainers: [container('i', { restartPolicy: 'Always' }), container('j')] };

const cases: [what: string, spec: object, status: NonNullable<Pod['status']>, cells: [string, string, string]][] = [
  ['its phase', {}, { phase: 'Pending' }, ['0/2', 'Pending', '0']],
  ['its reason before its phase', {}, { phase: 'Failed', reason: 'Evicted' }, ['0/2', 'Evicted', '0']],
  [
    'scheduling gates',
    {},
    { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
    ['0/2', 'SchedulingGated', '0'],
  ],
  [
    'what runs and is ready',
    {},
    { phase: 'Running', containerStatuses: [status('a', running, ready), status('b', running)] },
    ['1/2', 'Running', '0'],
  ],
  [
    'why a container waits',
    {},
    {
      phase: 'Running',
      containerStatuses: [status('a', { waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 3 })],
    },
    ['0/2', 'CrashLoopBackOff', '3'],
  ],
  [
    'how long ago the last restart was',
    {},
    { phase: 'Running', containerStatuses: [status('a', running, { ...ready, ...ended, restartCount: 3 })] },
    ['1/2', 'Running', '3 (5m ago)'],
  ],
  [
    'the signal that ended a container',
    {},
    { phase: 'Failed', containerStatuses: [status('a', { terminated: { exitCode: 137, signal: 9 } })] },
    ['0/2', 'Signal:9', '0'],
  ],
  [
    'the exit code of a container',
    {},
    { phase: 'Failed', containerStatuses: [status('a', { terminated: { exitCode: 2 } })] },
    ['0/2', 'ExitCode:2', '0'],
  ],
  [
    'the first container when several ended',
    {},
    { phase: 'Failed', containerStatuses: [status('a', failed), status('b', done)] },
    ['0/2', 'Error', '0'],
  ],
  [
    'a failure behind a success',
    {},
    { phase: 'Failed', containerStatuses: [status('a', done), status('b', failed)] },
    ['0/2', 'Error', '0'],
  ],
  [
    'a running container behind one that is done',
    {},
    { phase: 'Running', conditions: isReady, containerStatuses: [status('a', done), status('b', running, ready)] },
    ['1/2', 'Running', '0'],
  ],
  [
    'the same when the pod is not ready',
    {},
    { phase: 'Running', containerStatuses: [status('a', done), status('b', running, ready)] },
    ['1/2', 'NotReady', '0'],
  ],
  [
    'how many init containers are done',
    init,
    { phase: 'Pending', initContainerStatuses: [status('i', done), status('j', running)] },
    ['0/2', 'Init:1/2', '0'],
  ],
  [
    'why an init container failed',
    init,
    { phase: 'Failed', initContainerStatuses: [status('i', failed, { ...ended, restartCount: 2 })] },
    ['0/2', 'Init:Error', '2 (5m ago)'],
  ],
  [
    'the exit code of an init container',
    init,
    { phase: 'Failed', initContainerStatuses: [status('i', { terminated: { exitCode: 3 } })] },
    ['0/2', 'Init:ExitCode:3', '0'],
  ],
  [
    'why an init container waits',
    init,
    { phase: 'Pending', initContainerStatuses: [status('i', { waiting: { reason: 'ImagePullBackOff' } })] },
    ['0/2', 'Init:ImagePullBackOff', '0'],
  ],
  [
    'that an init container is being set up',
    init,
    { phase: 'Pending', initContainerStatuses: [status('i', { waiting: { reason: 'PodInitializing' } })] },
    ['0/2', 'Init:0/2', '0'],
  ],
  [
    'a sidecar as one more container, and no restarts of plain init containers',
    sidecar,
    {
      phase: 'Running',
      conditions: initialized,
      initContainerStatuses: [
        status('i', running, { ...ready, ...ended, started: true, restartCount: 1 }),
        status('j', done, { restartCount: 4 }),
      ],
      containerStatuses: [status('a', running, ready), status('b', running, ready)],
    },
    ['3/3', 'Running', '1 (5m ago)'],
  ],
  [
    'a sidecar that has not started',
    sidecar,
    { phase: 'Pending', initContainerStatuses: [status('i', running)] },
    ['0/3', 'Init:0/2', '0'],
  ],
  [
    'a sidecar that ended after initialization',
    sidecar,
    {
      phase: 'Succeeded',
      conditions: initialized,
      initContainerStatuses: [status('i', failed), status('j', done)],
      containerStatuses: [status('a', done), status('b', done)],
    },
    ['0/3', 'Completed', '0'],
  ],
];

describe('kubectl get pods shows', () => {
  for (const [what, spec, value, cells] of cases) {
    test(what, () => {
      const pod = created(pods, draft(spec));
      pod.status = value;
      assert.deepEqual(cellsOf(pod).slice(1, 4), cells);
    });
  }
  const deleted = (value: NonNullable<Pod['status']>) => {
    const pod = created(pods, draft());
    pod.metadata.deletionTimestamp = fiveMinutesAgo;
    pod.status = value;
    return cellsOf(pod)[2];
  };
  test('that a pod is being deleted, unless it ended or its node is lost', () => {
    assert.equal(deleted({ phase: 'Running' }), 'Terminating');
    assert.equal(deleted({ phase: 'Succeeded' }), 'Succeeded');
    assert.equal(deleted({ phase: 'Running', reason: 'NodeLost' }), 'Unknown');
  });
  test('with -o wide where it is and what it waits for', () => {
    const made = created(pods, draft({ readinessGates: [{ conditionType: 'x' }, { conditionType: 'y' }] }));
    assert.deepEqual(cellsOf(made).slice(4), ['5m', '<none>', '<none>', '<none>', '0/2']);
    made.spec.nodeName = 'n1';
    made.status = {
      podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
      nominatedNodeName: 'n2',
      conditions: [{ type: 'y', status: 'True' }],
    };
    assert.deepEqual(cellsOf(made).slice(4), ['5m', '10.0.0.1', 'n1', 'n2', '1/2']);
  });
});

test('rows of pods that ended are marked as completed', () => {
  const conditions = (phase: string) => {
    const pod = created(pods, draft());
    pod.status = { phase };
    return pods.rowConditions?.(pod);
  };
  assert.deepEqual(conditions('Running'), []);
  assert.deepEqual(conditions('Succeeded'), [
    { type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' },
  ]);
  assert.deepEqual(conditions('Failed'), [
    { type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' },
  ]);
});
