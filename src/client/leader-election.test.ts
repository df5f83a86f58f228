import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer, type Server } from '../../test/support/control.ts';
import { type Faults, withFaults } from '../../test/support/faults.ts';
import { silentLogger } from '../base/log.ts';
import { seededRandom } from '../base/random.ts';
import type { Client } from './contract.ts';
import { createClient, inProcessTransport, runLeaderElection } from './index.ts';

/** A candidate that notes when it leads. */
function candidate(server: Server, identity: string, leading: Set<string>, client: Client = server.client) {
  const stop = new AbortController();
  const finished = runLeaderElection({
    client,
    clock: server.clock,
    random: seededRandom(identity.length),
    log: silentLogger,
    namespace: 'kube-system',
    name: 'test',
    identity,
    signal: stop.signal,
    lead: signal => {
      leading.add(identity);
      return new Promise(resolve => {
        signal.addEventListener('abort', () => {
          leading.delete(identity);
          resolve();
        });
      });
    },
  });
  return { stop: () => stop.abort(new Error('stopped')), finished };
}

test('one leads; when it stops, another follows at once', async () => {
  const server = await createServer();
  const leading = new Set<string>();
  const a = candidate(server, 'a', leading);
  await server.clock.advance(1_000);
  const b = candidate(server, 'bb', leading);
  await server.clock.advance(60_000);
  assert.deepEqual([...leading], ['a']);
  a.stop();
  await server.clock.advance(6_000);
  await a.finished;
  assert.deepEqual([...leading], ['bb']);
  const lease = await server.client.leases('kube-system').get('test');
  assert.equal(lease.spec.holderIdentity, 'bb');
  b.stop();
  await server.clock.advance(6_000);
  await b.finished;
  await server.close();
});

test('a leader that cannot reach the server gives up before another takes over', async () => {
  const server = await createServer();
  const leading = new Set<string>();
  const faults: Faults = {};
  const shaky = createClient(
    inProcessTransport(
      withFaults(r => serverHandler(server)(r), faults, server.clock, seededRandom(1)),
      { name: 'x', groups: ['system:masters'] },
    ),
  );
  const a = candidate(server, 'a', leading, shaky);
  await server.clock.advance(5_000);
  const b = candidate(server, 'bb', leading);
  let together = false;
  faults.down = true;
  for (let i = 0; i < 400; i++) {
    await server.clock.advance(100);
    together ||= leading.size > 1;
  }
  assert.deepEqual([...leading], ['bb']);
  assert.ok(!together);
  a.stop();
  b.stop();
  await server.clock.advance(10_000);
  await Promise.all([a.finished, b.finished]);
  await server.close();
});

function serverHandler(server: Server) {
  return (request: Parameters<typeof server.client.transport.request>[0]) => server.client.transport.request(request);
}
