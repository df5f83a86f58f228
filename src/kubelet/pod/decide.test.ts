import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import type { ContainerState, SandboxState } from '../runtime/contract.ts';
import { type ContainerHistory, decide, shouldRestart } from './decide.ts';
import { containerHash, hashAnnotation } from './names.ts';
import type { ContainerView, PodView } from './state.ts';

const spec = (name: string, rest: Partial<Container> = {}): Container => ({ name, image: 'i', ...rest });
const pod = (rest: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name: 'p', namespace: 'd', uid: 'u' },
  spec: { restartPolicy: 'Always', containers: [spec('a')], ...rest },
});
type Seen = 'running' | 'created' | number;
function view(
  sandbox: SandboxState | undefined,
  seen: Record<string, Seen> = {},
  containers: readonly Container[] = [],
): PodView {
  const metadata = { name: 'p', uid: 'u', namespace: 'd', attempt: 2 };
  const sandboxes = sandbox
    ? [
        {
          id: 's',
          metadata,
          state: sandbox,
          createdAt: 1,
          labels: {},
          annotations: {},
          runtimeHandler: '',
          network: { ip: '1.2.3.4', additionalIps: [] },
        },
      ]
    : [];
  const entries = Object.entries(seen).map(([name, what]): [string, ContainerView[]] => {
    const state: ContainerState =
      what === 'running' ? 'CONTAINER_RUNNING' : what === 'created' ? 'CONTAINER_CREATED' : 'CONTAINER_EXITED';
    const known = containers.find(c => c.name === name) ?? spec(name);
    const status = {
      id: `id-${name}`,
      metadata: { name, attempt: 0 },
      state,
      createdAt: 1,
      startedAt: 1,
      finishedAt: 2,
      exitCode: typeof what === 'number' ? what : 0,
      imageRef: '',
      imageId: '',
      reason: '',
      message: '',
      labels: {},
      annotations: { [hashAnnotation]: containerHash(known) },
      logPath: '',
      mounts: [],
    };
    return [name, [{ status, name, sandboxId: 's', restartCount: 0 }]];
  });
  return { sandboxes, containers: new Map(entries) };
}
const started = (): ContainerHistory => ({ started: true });
const summary = (p: Pod, v: PodView, history = started as (n: string) => ContainerHistory | undefined): string => {
  const d = decide(p, v, history);
  const parts = [
    d.killPod ? 'kill-pod' : '',
    d.createSandbox ? `sandbox:${d.createSandbox.attempt}` : '',
    ...d.kill.map(k => `kill:${k.container.name}`),
    ...d.start.map(s => `${s.kind}:${s.container.name}`),
  ];
  return parts.filter(Boolean).join(' ');
};

const sidecar = spec('side', { restartPolicy: 'Always' });
const two = { initContainers: [spec('i1'), spec('i2')] };
const cases: [what: string, pod: Pod, view: PodView, wanted: string][] = [
  ['a new pod gets a sandbox and its containers', pod(), view(undefined), 'sandbox:0 regular:a'],
  ['a new pod with init containers begins with the first', pod(two), view(undefined), 'sandbox:0 init:i1'],
  ['a sandbox without containers gets them', pod(), view('SANDBOX_READY'), 'regular:a'],
  ['all is well', pod(), view('SANDBOX_READY', { a: 'running' }), ''],
  ['an ended container is started again', pod(), view('SANDBOX_READY', { a: 0 }), 'regular:a'],
  ['a container that was created only is started', pod(), view('SANDBOX_READY', { a: 'created' }), 'regular:a'],
  ['OnFailure: success ends the pod', pod({ restartPolicy: 'OnFailure' }), view('SANDBOX_READY', { a: 0 }), 'kill-pod'],
  ['OnFailure: failure restarts', pod({ restartPolicy: 'OnFailure' }), view('SANDBOX_READY', { a: 1 }), 'regular:a'],
  ['Never: any end ends the pod', pod({ restartPolicy: 'Never' }), view('SANDBOX_READY', { a: 1 }), 'kill-pod'],
  [
    'Never: one of two goes on',
    pod({ restartPolicy: 'Never', containers: [spec('a'), spec('b')] }),
    view('SANDBOX_READY', { a: 0, b: 'running' }),
    '',
  ],
  ['a dead sandbox is replaced', pod(), view('SANDBOX_NOTREADY', { a: 137 }), 'kill-pod sandbox:3 regular:a'],
  ['Never: a dead sandbox is not', pod({ restartPolicy: 'Never' }), view('SANDBOX_NOTREADY', { a: 137 }), 'kill-pod'],
  [
    'OnFailure: what succeeded is not repeated in a new sandbox',
    pod({ restartPolicy: 'OnFailure', containers: [spec('a'), spec('b')] }),
    view('SANDBOX_NOTREADY', { a: 0, b: 137 }),
    'kill-pod sandbox:3 regular:b',
  ],
  ['the second init container follows the first', pod(two), view('SANDBOX_READY', { i1: 0 }), 'init:i2'],
  ['a running init container is waited for', pod(two), view('SANDBOX_READY', { i1: 'running' }), ''],
  ['a failed init container is repeated', pod(two), view('SANDBOX_READY', { i1: 1 }), 'init:i1'],
  [
    'Never: a failed init container fails the pod',
    pod({ ...two, restartPolicy: 'Never' }),
    view('SANDBOX_READY', { i1: 1 }),
    'kill-pod',
  ],
  ['after the init containers come the others', pod(two), view('SANDBOX_READY', { i1: 0, i2: 0 }), 'regular:a'],
  ['init containers are over once a container began', pod(two), view('SANDBOX_READY', { a: 'running' }), ''],
  ['a sidecar starts and the rest waits', pod({ initContainers: [sidecar] }), view('SANDBOX_READY'), 'sidecar:side'],
  [
    'a sidecar that started lets the rest begin',
    pod({ initContainers: [sidecar] }),
    view('SANDBOX_READY', { side: 'running' }),
    'regular:a',
  ],
  [
    'a dead sidecar is restarted beside its pod',
    pod({ initContainers: [sidecar] }),
    view('SANDBOX_READY', { side: 1, a: 'running' }),
    'sidecar:side',
  ],
  [
    'sidecars do not keep a finished pod',
    pod({ initContainers: [sidecar], restartPolicy: 'Never' }),
    view('SANDBOX_READY', { side: 'running', a: 0 }),
    'kill-pod',
  ],
  [
    'an ephemeral container is added once',
    pod({ ephemeralContainers: [{ name: 'debug', image: 'i' }] }),
    view('SANDBOX_READY', { a: 'running' }),
    'ephemeral:debug',
  ],
  [
    'an ephemeral container that ended stays ended',
    pod({ ephemeralContainers: [{ name: 'debug', image: 'i' }] }),
    view('SANDBOX_READY', { a: 'running', debug: 1 }),
    '',
  ],
  [
    'another image restarts the container',
    pod({ containers: [spec('a', { image: 'new' })] }),
    view('SANDBOX_READY', { a: 'running' }),
    'kill:a regular:a',
  ],
];
for (const [what, p, v, wanted] of cases) test(what, () => assert.equal(summary(p, v), wanted));

test('a failed probe kills and restarts, unless the pod is never restarted', () => {
  const failed = (): ContainerHistory => ({ started: true, failedProbe: { containerId: 'id-a', kind: 'liveness' } });
  assert.equal(summary(pod(), view('SANDBOX_READY', { a: 'running' }), failed), 'kill:a regular:a');
  assert.equal(summary(pod({ restartPolicy: 'Never' }), view('SANDBOX_READY', { a: 'running' }), failed), 'kill:a');
  const old = (): ContainerHistory => ({ started: true, failedProbe: { containerId: 'before', kind: 'liveness' } });
  assert.equal(summary(pod(), view('SANDBOX_READY', { a: 'running' }), old), '');
});

test('a sidecar whose startup probe has not passed holds the rest back', () => {
  const waiting = (): ContainerHistory => ({ started: false });
  assert.equal(summary(pod({ initContainers: [sidecar] }), view('SANDBOX_READY', { side: 'running' }), waiting), '');
});

test('restart rules of a container come before its policy', () => {
  const rules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }];
  const c = spec('a', { restartPolicy: 'Never', restartPolicyRules: rules });
  assert.equal(shouldRestart(pod(), c, 42), true);
  assert.equal(shouldRestart(pod(), c, 1), false);
  assert.equal(shouldRestart(pod({ restartPolicy: 'Never' }), spec('a', { restartPolicy: 'Always' }), 0), true);
});

test('whatever the state: nothing is started twice, nothing running is started, and carrying out decisions comes to rest', () => {
  const seen = fc.constantFrom<Seen | undefined>('running', 'created', 0, 1, undefined);
  const policy = fc.constantFrom('Always', 'OnFailure', 'Never');
  fc.assert(
    fc.property(
      policy,
      fc.array(seen, { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      (restartPolicy, states, ready) => {
        const names = ['i1', 'side', 'a', 'b'];
        const p = pod({ restartPolicy, initContainers: [spec('i1'), sidecar], containers: [spec('a'), spec('b')] });
        const now: Record<string, Seen> = {};
        for (const [i, name] of names.entries()) if (states[i] !== undefined) now[name] = states[i];
        let sandbox: SandboxState = ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY';
        for (let round = 0; round < 20; round++) {
          const d = decide(p, view(sandbox, now), started);
          const starts = d.start.map(s => s.container.name);
          assert.equal(new Set(starts).size, starts.length);
          if (!d.createSandbox) for (const name of starts) assert.notEqual(now[name], 'running');
          if (d.killPod) for (const name of names) if (now[name] === 'running') now[name] = 0;
          if (d.killPod && !d.createSandbox) return;
          if (d.createSandbox) {
            sandbox = 'SANDBOX_READY';
            for (const name of names) delete now[name];
          }
          if (starts.length === 0 && d.kill.length === 0) return;
          for (const name of starts) now[name] = name === 'i1' ? 0 : 'running';
        }
        assert.fail('no rest after 20 rounds');
      },
    ),
  );
});
