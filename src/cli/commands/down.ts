import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { clusterPaths, readClusterConfig } from '../cluster.ts';
import { command } from '../command.ts';
import { runningDaemon, stopDaemon } from '../daemon.ts';
import { removeFromKubeconfig, userKubeconfig } from '../kubeconfig-merge.ts';
import { hostEnvironment } from '../run/environment.ts';
import { dataDirFlag } from './shared.ts';

/** Also ends what runs on without its supervisor. */
async function stop(dataDir: string): Promise<void> {
  const ran = runningDaemon(dataDir) !== undefined;
  if (!(await stopDaemon(dataDir, systemClock)))
    throw new Error('the cluster did not stop within a minute; see `tsukube logs`');
  const config = readClusterConfig(dataDir);
  if (config) {
    const { cleanNode } = await import('../run/node.ts');
    await cleanNode(dataDir, config, hostEnvironment('down'));
  }
  console.log(ran ? 'The cluster is stopped; its data is kept.' : `No cluster is running in ${dataDir}.`);
}

export const down = command({
  flags: { 'data-dir': dataDirFlag },
  run: flags => stop(flags['data-dir']),
});

export const reset = command({
  flags: {
    'data-dir': dataDirFlag,
    kubeconfig: { type: 'string', help: 'kubeconfig to take the cluster out of (default: the user’s)' },
  },
  async run(flags) {
    const dataDir = flags['data-dir'];
    const config = readClusterConfig(dataDir);
    if (!config) {
      if (existsSync(dataDir)) throw new Error(`${dataDir} holds no cluster; nothing was deleted`);
      console.log(`There is no cluster in ${dataDir}.`);
      return;
    }
    await stop(dataDir);
    removeFromKubeconfig(flags.kubeconfig ?? userKubeconfig(), config.name);
    const paths = clusterPaths(dataDir);
    for (const path of [paths.store, paths.pki, paths.logs, paths.run, paths.node, paths.adminKubeconfig, paths.config])
      rmSync(path, { recursive: true, force: true });
    // Something of the user's own may be in there: only an empty folder goes.
    if (readdirSync(dataDir).length === 0) rmdirSync(dataDir);
    console.log('The cluster and its data are deleted.');
  },
});
