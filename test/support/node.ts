/** A containerd of its own for one test, with everything it made removed afterwards, also when the test failed. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { isAlive } from '../../src/base/node/processes.ts';
import { removePods } from '../../src/kubelet/leftovers.ts';
import { type Containerd, startContainerd } from '../../src/kubelet/runtime/containerd.ts';
import { busyboxArchive } from './images.ts';

export interface NodeFixture {
  readonly dir: string;
  readonly containerd: Containerd;
  /** Restarts containerd's handle as a restarted agent would: the process stays. */
  reopen(): Promise<Containerd>;
  /** Stops all pods, ends containerd, unmounts and deletes. Safe to call twice. */
  destroy(): Promise<void>;
}

/** Why tests with real containers cannot run here, or undefined when they can. */
export function whyNoContainers(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const binary of ['containerd', 'runc', 'ctr']) {
    const found = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/sbin'].some(d => existsSync(`${d}/${binary}`));
    if (!found) return `needs ${binary}`;
  }
  return cniBinDir() ? undefined : 'needs the CNI plugins';
}

export function cniBinDir(): string | undefined {
  return ['/opt/cni/bin', '/usr/lib/cni'].find(d => existsSync(`${d}/ptp`));
}

/** Point-to-point links: no bridge is left behind, and each test has a range of its own. */
function cniConfig(dir: string, subnet: string): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'test',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: { type: 'host-local', dataDir: `${dir}/ipam`, ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  });
}

export async function createNodeFixture(subnet = '10.199.1.0/24'): Promise<NodeFixture> {
  const dir = await mkdtemp('/tmp/tn-');
  const confDir = `${dir}/net.d`;
  await mkdir(confDir);
  await writeFile(`${confDir}/10-test.conflist`, cniConfig(dir, subnet));
  const start = () =>
    startContainerd({
      dir: `${dir}/containerd`,
      stateDir: `${dir}/run`,
      clock: systemClock,
      log: silentLogger,
      cni: { binDir: cniBinDir() ?? '', confDir },
    });
  let containerd: Containerd | undefined;
  const destroy = async () => {
    try {
      // A node that was stopped has ended it already.
      if (containerd && isAlive(containerd.pid)) await removePods(containerd.runtime);
    } finally {
      await containerd?.stop();
      containerd = undefined;
      await unmountBelow(dir);
      await rm(dir, { recursive: true, force: true });
    }
  };
  try {
    containerd = await start();
    await writeFile(`${dir}/busybox.tar`, busyboxArchive());
    await containerd.importImage(`${dir}/busybox.tar`);
  } catch (e) {
    await destroy();
    throw e;
  }
  return {
    dir,
    get containerd() {
      if (!containerd) throw new Error('the fixture is gone');
      return containerd;
    },
    async reopen() {
      await containerd?.release();
      containerd = await start();
      return containerd;
    },
    destroy,
  };
}

async function unmountBelow(dir: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map(line => line.split(' ')[1] ?? '');
  for (const path of mounts.filter(m => m.startsWith(`${dir}/`)).reverse()) execFileSync('umount', ['-l', path]);
}
