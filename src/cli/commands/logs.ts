import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { clusterPaths } from '../cluster.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { dataDirFlag } from './shared.ts';

export const logs = command({
  usage: '[PART] [flags]',
  flags: {
    'data-dir': dataDirFlag,
    follow: { type: 'boolean', short: 'f', help: 'go on printing what is added' },
    tail: { type: 'number', default: 200, help: 'lines to begin with' },
  },
  async run(flags, [part]) {
    const folder = clusterPaths(flags['data-dir']).logs;
    const known = existsSync(folder)
      ? readdirSync(folder)
          .filter(f => f.endsWith('.log'))
          .map(f => f.slice(0, -4))
      : [];
    if (known.length === 0) throw new Error(`there is no cluster in ${flags['data-dir']}`);
    if (part !== undefined && !known.includes(part))
      throw new UsageError(`unknown part "${part}"; there are ${known.join(', ')}`);
    const files = (part === undefined ? known : [part]).map(name => join(folder, `${name}.log`));
    const child = spawn('tail', ['-n', String(flags.tail), ...(flags.follow ? ['-F'] : []), ...files], {
      stdio: 'inherit',
    });
    return new Promise(resolve => child.once('close', code => resolve(code ?? 0)));
  },
});
