/** What containerd does when it has forgotten a task; real ones are in test/e2e/node. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../../base/clock.ts';
import { createCodec } from '../../grpc/codec.ts';
import { GrpcError } from '../../grpc/unix-client.ts';
import { serveUnix } from '../../grpc/unix-server.ts';
import { createCriRuntime } from './index.ts';
import { criMessages } from './messages.ts';

const notFound = 5;
const failedPrecondition = 9;

/** A runtime that refuses to remove its container as long as `refusal` says so, and the calls that it got. */
async function runtimeWith(t: TestContext, refusal: (calls: readonly string[]) => GrpcError | undefined) {
  const dir = await mkdtemp(join(tmpdir(), 'tn-cri-'));
  const socket = `${dir}/cri.sock`;
  const calls: string[] = [];
  const task = (name: string, request: string) => ({
    request,
    response: 'Empty',
    async handle({ containerId }: { containerId: string }) {
      calls.push(`${name} ${containerId}`);
      // Its process ended long ago.
      if (name === 'Kill') throw new GrpcError(notFound, 'process already finished: not found');
      return {};
    },
  });
  const tasks = 'containerd.services.tasks.v1.Tasks';
  const server = await serveUnix(socket, createCodec(criMessages), {
    'runtime.v1.RuntimeService/RemoveContainer': {
      request: 'RemoveContainerRequest',
      response: 'RemoveContainerResponse',
      async handle({ containerId }: { containerId: string }) {
        const refused = refusal(calls);
        calls.push(`RemoveContainer ${containerId}`);
        if (refused) throw refused;
        return {};
      },
    },
    [`${tasks}/Kill`]: task('Kill', 'KillRequest'),
    [`${tasks}/Wait`]: task('Wait', 'TaskRequest'),
    [`${tasks}/Delete`]: task('Delete', 'TaskRequest'),
  });
  const runtime = createCriRuntime({ socket, clock: systemClock });
  t.after(async () => {
    await runtime.close();
    await server.close();
    await rm(dir, { recursive: true });
  });
  return { runtime, calls };
}

test('a task that the runtime forgot is ended, and its container removed', async t => {
  const { runtime, calls } = await runtimeWith(t, before =>
    before.includes('Delete c1')
      ? undefined
      : new GrpcError(failedPrecondition, 'failed to delete containerd container "c1": cannot delete running task c1'),
  );
  await runtime.removeContainer('c1');
  assert.deepEqual(calls, ['RemoveContainer c1', 'Kill c1', 'Wait c1', 'Delete c1', 'RemoveContainer c1']);
});

test('any other refusal is the caller’s to know', async t => {
  const { runtime, calls } = await runtimeWith(
    t,
    () => new GrpcError(failedPrecondition, 'container is being started'),
  );
  await assert.rejects(runtime.removeContainer('c1'), /being started/);
  assert.deepEqual(calls, ['RemoveContainer c1']);
});

test('a container that is gone is removed', async t => {
  const { runtime } = await runtimeWith(t, () => new GrpcError(notFound, 'no such container'));
  await runtime.removeContainer('c1');
});
