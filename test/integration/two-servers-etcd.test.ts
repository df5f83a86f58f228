/** Two API server processes on one real etcd, with kubectl against both. Skipped where there is no etcd or no kubectl. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ApiError } from '../../src/base/errors.ts';
import type { Client } from '../../src/client/index.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from '../conformance/store/etcd-cluster.ts';
import { type ApiProcess, freePort, startApiProcess, testFolder, writeKubeconfig } from '../support/api-process.ts';

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const skip = (await etcdMissing()) || (hasKubectl() ? false : 'kubectl is not installed');

describe('two API servers on one etcd', { skip }, () => {
  const folder = testFolder('two-servers-etcd');
  let etcd: EtcdCluster | undefined;
  const servers: ApiProcess[] = [];
  const clients: Client[] = [];
  const configs: string[] = [];

  before(async () => {
    etcd = await startEtcd();
    for (const name of ['a', 'b']) {
      const own = join(folder.path, name);
      mkdirSync(own);
      // Both have the same authorities and signing keys.
      if (name === 'b') cpSync(join(folder.path, 'a/pki'), join(own, 'pki'), { recursive: true });
      const advertise = name === 'a' ? '192.0.2.1' : '192.0.2.2';
      const port = await freePort();
      const server = await startApiProcess({ folder: own, port, etcd: etcd.endpoints[0] ?? '', advertise });
      servers.push(server);
      clients.push(server.connect());
      configs.push(writeKubeconfig(join(own, 'config'), server));
    }
  });
  after(async () => {
    await Promise.all(clients.map(client => client.transport.close()));
    await Promise.all(servers.map(server => server.stop()));
    await etcd?.close();
    folder.remove();
  });
  const pair = (): [Client, Client] => [clients[0] as Client, clients[1] as Client];

  function kubectl(server: number, ...args: string[]): Promise<string> {
    const env = { ...process.env, KUBECONFIG: configs[server], HOME: folder.path };
    return new Promise((resolve, reject) => {
      execFile('kubectl', args, { env, timeout: 30_000 }, (error, out, err) =>
        error ? reject(new Error(`kubectl ${args.join(' ')}: ${err}`)) : resolve(out),
      );
    });
  }

  it('kubectl sees through each what it did through the other', async () => {
    await kubectl(0, 'create', 'deployment', 'web', '--image=example.com/c:1');
    assert.match(await kubectl(1, 'get', 'deploy', 'web'), /web +0\/1/);
    await kubectl(1, 'scale', 'deploy', 'web', '--replicas=3');
    assert.equal(await kubectl(0, 'get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '3');
    await kubectl(0, 'delete', 'deploy', 'web', '--wait=false');
    assert.equal((await kubectl(1, 'get', 'deploy', '-o', 'name')).trim(), '');
  });

  it('reads see every write that was acknowledged by the other', async () => {
    const [a, b] = pair();
    await a.configmaps('default').create({ metadata: { name: 'turns' }, data: { n: '0' } });
    for (let i = 1; i <= 60; i++) {
      const [writer, reader] = i % 2 ? [a, b] : [b, a];
      const got = await writer.configmaps('default').get('turns');
      assert.equal(got.data?.['n'], String(i - 1));
      await writer.configmaps('default').update({ ...got, data: { n: String(i) } });
      const { items } = await reader.configmaps('default').list({ fieldSelector: 'metadata.name=turns' });
      assert.equal(items[0]?.data?.['n'], String(i));
    }
  });

  it('writers on both sides lose nothing', async () => {
    await clients[0]?.configmaps('default').create({ metadata: { name: 'sum' }, data: { n: '0' } });
    const add = async (client: Client) => {
      for (let done = 0; done < 15; ) {
        const got = await client.configmaps('default').get('sum');
        try {
          await client.configmaps('default').update({ ...got, data: { n: String(Number(got.data?.['n']) + 1) } });
          done += 1;
        } catch (e) {
          if (!(e instanceof ApiError) || e.code !== 409) throw e;
        }
      }
    };
    await Promise.all([...pair(), ...pair()].map(add));
    assert.equal((await clients[1]?.configmaps('default').get('sum'))?.data?.['n'], '60');
  });

  it('never give out an address twice', async () => {
    const made = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (clients[i % 2] as Client)
          .services('default')
          .create({ metadata: { name: `s-${i}` }, spec: { type: 'NodePort', ports: [{ port: 80 }] } }),
      ),
    );
    assert.equal(new Set(made.map(s => s.spec.clusterIP)).size, 40);
    assert.equal(new Set(made.map(s => s.spec.ports?.[0]?.nodePort)).size, 40);
  });

  it('one goes on when the other is killed', async () => {
    await servers[1]?.kill();
    await kubectl(0, 'create', 'configmap', 'alone');
    assert.match(await kubectl(0, 'get', 'cm', 'alone', '-o', 'name'), /configmap\/alone/);
  });
});
