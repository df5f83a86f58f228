import { messageOf } from '../../base/errors.ts';
import { readClusterConfig } from '../cluster.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { localIdentity, runNode } from '../run/node.ts';
import { reportFatal, reportReady } from '../supervisor.ts';
import { dataDirFlag } from './shared.ts';

export const node = command({
  flags: { 'data-dir': dataDirFlag },
  async run(flags) {
    startWithParent();
    const environment = hostEnvironment('node');
    const config = readClusterConfig(flags['data-dir']);
    if (!config) throw new UsageError(`there is no cluster in ${flags['data-dir']}`);
    try {
      const dataDir = flags['data-dir'];
      // Addresses of its own that only this machine routes would hide node ports from everybody else.
      const isHidden = config.nodeAddresses.join() === config.hostAddresses.join();
      const settings = { ...config, dataDir, ...(!isHidden && { nodePortAddresses: config.nodeAddresses }) };
      const running = await runNode({ environment, settings, identity: localIdentity(environment, dataDir, config) });
      reportReady();
      // A supervisor that was killed, unlike one that stops, wants nothing from the containers.
      if ((await stopSignal({ withParent: true })) === 'orphaned') await running.release();
      else await running.stop();
    } catch (error) {
      reportFatal(messageOf(error));
      throw error;
    }
  },
});
