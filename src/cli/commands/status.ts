import { systemClock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { clusterPaths, readClusterConfig } from '../cluster.ts';
import { command } from '../command.ts';
import { runningDaemon } from '../daemon.ts';
import { clientFor } from '../run/connect.ts';
import { dataDirFlag } from './shared.ts';

/** 0 when everything is well, 1 when something is not, 3 when nothing runs (as systemctl does). */
export const status = command({
  flags: { 'data-dir': dataDirFlag },
  async run(flags) {
    const dataDir = flags['data-dir'];
    const config = readClusterConfig(dataDir);
    if (!config) {
      console.log(`There is no cluster in ${dataDir}.`);
      return 3;
    }
    const daemon = runningDaemon(dataDir);
    console.log(`cluster     ${config.name} in ${dataDir}`);
    console.log(`supervisor  ${daemon ? `running, process ${daemon.pid}` : 'not running'}`);
    if (!daemon) return 3;
    const client = clientFor(clusterPaths(dataDir).adminKubeconfig, 'tsukube-status', { clock: systemClock });
    try {
      await client.request<unknown>('GET', '/readyz').catch(ignoreText);
      console.log(`API server  ready at https://127.0.0.1:${config.port}`);
      const nodes = (await client.nodes().list()).items;
      const isReady = (node: (typeof nodes)[number]) =>
        node.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') === true;
      console.log(`nodes       ${nodes.filter(isReady).length} of ${nodes.length} ready`);
      const pods = (await client.pods().list()).items;
      const byPhase = Map.groupBy(pods, pod => pod.status?.phase ?? 'Unknown');
      console.log(`pods        ${[...byPhase].map(([phase, list]) => `${list.length} ${phase}`).join(', ') || 'none'}`);
      return nodes.every(isReady) ? 0 : 1;
    } catch (error) {
      console.log(`API server  not answering: ${messageOf(error)}`);
      return 1;
    } finally {
      await client.transport.close();
    }
  },
});

/** /readyz answers in plain text, which is no JSON; only an answer of failure counts. */
function ignoreText(error: unknown): void {
  if (!(error instanceof SyntaxError)) throw error;
}
