import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../src/base/clock.ts';
import { connectEtcdStore } from '../../../src/store/etcd/index.ts';
import { type MemberPlace, startEtcd } from './etcd-cluster.ts';
import { underFault } from './faults.ts';
import { put } from './helpers.ts';

/**
 * Runs in a network and a mount namespace of its own: three more namespaces, one per member, hang on a bridge here. The leader is cut off
 * from the other members, but not from the clients, by routes that lead nowhere; then the routes go away again. Prints a report.
 */
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
const host = (member: number) => `10.99.0.${member + 1}`;
const members = [0, 1, 2];

function makeNetwork(): void {
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', 'br0', 'type', 'bridge');
  ip('address', 'add', '10.99.0.254/24', 'dev', 'br0');
  ip('link', 'set', 'br0', 'up');
  for (const member of members) {
    ip('netns', 'add', `m${member}`);
    ip('link', 'add', `port${member}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `m${member}`);
    ip('link', 'set', `port${member}`, 'master', 'br0', 'up');
    ip('-n', `m${member}`, 'address', 'add', `${host(member)}/24`, 'dev', 'eth0');
    ip('-n', `m${member}`, 'link', 'set', 'eth0', 'up');
    ip('-n', `m${member}`, 'link', 'set', 'lo', 'up');
  }
}

function cut(member: number, verb: 'add' | 'delete'): void {
  for (const other of members) {
    if (other !== member) ip('-n', `m${member}`, 'route', verb, 'blackhole', `${host(other)}/32`);
  }
}

makeNetwork();
const places = members.map(
  (member): MemberPlace => ({
    host: host(member),
    clientPort: 2379,
    peerPort: 2380,
    prefix: ['ip', 'netns', 'exec', `m${member}`],
  }),
);
const cluster = await startEtcd({ places });
const { endpoints } = cluster;
const stores = endpoints.map((_, i) =>
  connectEtcdStore({
    endpoints: [...endpoints.slice(i), ...endpoints.slice(0, i)],
    clock: systemClock,
    requestTimeoutMs: 3000,
  }),
);
try {
  let during = 0;
  const report = await underFault(stores, async () => {
    const leader = await cluster.leader();
    cut(leader, 'add');
    await delay(1500);
    const other = stores[(leader + 1) % 3];
    if (other) during = await put(other, '/elsewhere', 'while cut off');
    await delay(1500);
    cut(leader, 'delete');
    await delay(1000);
  });
  process.stdout.write(JSON.stringify({ ...report, during }));
} finally {
  await Promise.all(stores.map(store => store.close()));
  await cluster.close();
}
