import { restoreSnapshot, type SnapshotStatus, saveSnapshot, snapshotStatus } from '../../store/embedded/snapshot.ts';
import { clusterPaths } from '../cluster.ts';
import { command } from '../command.ts';
import { runningDaemon } from '../daemon.ts';
import { UsageError } from '../flags.ts';
import { dataDirFlag } from './shared.ts';

export const snapshot = command({
  usage: 'save|restore|status FILE [flags]',
  flags: {
    'data-dir': dataDirFlag,
    store: { type: 'string', help: 'directory of the store itself (default: the cluster’s)' },
    output: { type: 'string', short: 'o', default: 'text', help: '"text" or "json"' },
  },
  async run(flags, [verb, file]) {
    if (verb === undefined || file === undefined || !['save', 'restore', 'status'].includes(verb))
      throw new UsageError('usage: tsukube snapshot save|restore|status FILE');
    const directory = flags.store ?? clusterPaths(flags['data-dir']).store;
    if (verb === 'restore' && flags.store === undefined && runningDaemon(flags['data-dir'])) {
      throw new Error('the cluster is running: stop it with `tsukube down`, and move its store away');
    }
    const status = await actions[verb as keyof typeof actions](directory, file);
    console.log(flags.output === 'json' ? JSON.stringify(status) : describe(status));
  },
});

const actions = {
  save: (directory: string, file: string) => saveSnapshot({ directory, file }),
  restore: (directory: string, file: string) => restoreSnapshot({ directory, file }),
  status: (_directory: string, file: string) => snapshotStatus(file),
} as const;

function describe(status: SnapshotStatus): string {
  return `revision ${status.revision}, ${status.totalKeys} keys, ${status.totalSize} bytes, state ${status.hash.slice(0, 16)}`;
}
