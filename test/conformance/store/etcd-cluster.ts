import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where Debian's etcd-server puts it. */
const etcdBinary = process.env['TSUKUBE_ETCD'] ?? '/usr/bin/etcd';

export async function etcdMissing(): Promise<string | false> {
  try {
    await access(etcdBinary);
    return false;
  } catch {
    return `${etcdBinary} is not installed`;
  }
}

export interface MemberPlace {
  readonly host: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** A command that runs what follows it elsewhere, such as in a network namespace. */
  readonly prefix?: readonly string[];
}
export interface ClusterOptions {
  members?: number;
  places?: readonly MemberPlace[];
  /** Flags for TLS towards clients. */
  clientTls?: { cert: string; key: string; ca: string };
}

export interface EtcdCluster {
  readonly endpoints: readonly string[];
  /** Index of the leader. */
  leader(): Promise<number>;
  kill(member: number): Promise<void>;
  start(member: number): Promise<void>;
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function loopbackPlaces(members: number): Promise<MemberPlace[]> {
  const places: MemberPlace[] = [];
  for (let i = 0; i < members; i++) {
    places.push({ host: '127.0.0.1', clientPort: await freePort(), peerPort: await freePort() });
  }
  return places;
}

/** Starts a cluster of real etcd members, each with a directory of its own, and waits until it has a leader. */
export async function startEtcd(options: ClusterOptions = {}): Promise<EtcdCluster> {
  const places = options.places ?? (await loopbackPlaces(options.members ?? 1));
  const directory = await mkdtemp(join(tmpdir(), 'tsukube-etcd-'));
  const children: (ChildProcess | undefined)[] = places.map(() => undefined);
  const scheme = options.clientTls ? 'https' : 'http';
  const peer = (place: MemberPlace) => `http://${place.host}:${place.peerPort}`;
  const endpoints = places.map(place => `${scheme}://${place.host}:${place.clientPort}`);
  const initial = places.map((place, i) => `m${i}=${peer(place)}`).join(',');

  async function start(member: number): Promise<void> {
    const place = places[member] as MemberPlace;
    const client = endpoints[member] as string;
    const tls = options.clientTls;
    const [command = '', ...args] = [
      ...(place.prefix ?? []),
      etcdBinary,
      ...['--name', `m${member}`, '--data-dir', join(directory, String(member)), '--log-level', 'fatal'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client, '--logger', 'zap'],
      ...['--listen-peer-urls', peer(place), '--initial-advertise-peer-urls', peer(place)],
      ...['--initial-cluster', initial, '--heartbeat-interval', '50', '--election-timeout', '500'],
      ...(tls
        ? ['--cert-file', tls.cert, '--key-file', tls.key, '--client-cert-auth', '--trusted-ca-file', tls.ca]
        : []),
    ];
    children[member] = spawn(command, args, { stdio: 'ignore' });
  }
  async function kill(member: number): Promise<void> {
    const child = children[member];
    children[member] = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  async function leader(): Promise<number> {
    for (let tries = 0; tries < 100; tries++) {
      const found = await Promise.all(endpoints.map((_, i) => (children[i] ? status(i) : undefined)));
      const known = found.find(s => s?.leader)?.leader;
      const index = found.findIndex(s => s?.member !== undefined && s.member === known && s.leader === s.member);
      if (index >= 0) return index;
      await delay(100);
    }
    throw new Error('the etcd cluster has no leader');
  }
  async function status(member: number): Promise<{ member: string; leader: string } | undefined> {
    const tls = options.clientTls;
    const flags = tls ? ['--cert', tls.cert, '--key', tls.key, '--cacert', tls.ca] : [];
    try {
      const args = ['--endpoints', endpoints[member] as string, ...flags, '--dial-timeout=1s', '--command-timeout=1s'];
      const { stdout } = await run('etcdctl', [...args, 'endpoint', 'status', '-w', 'json'], {
        env: { ...process.env, ETCDCTL_API: '3' },
      });
      // The ids are 64 bits wide: read as text.
      const id = /"member_id":(\d+)/.exec(stdout)?.[1];
      const of = /"leader":(\d+)/.exec(stdout)?.[1];
      return id && of ? { member: id, leader: of } : undefined;
    } catch {
      return undefined;
    }
  }
  const close = async () => {
    await Promise.all(places.map((_, i) => kill(i)));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all(places.map((_, i) => start(i)));
    await leader();
  } catch (error) {
    await close();
    throw error;
  }
  return { endpoints, leader, kill, start, close };
}
