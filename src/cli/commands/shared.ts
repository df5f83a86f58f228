import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a cluster lives unless told otherwise: a system directory for root, the home directory for anybody else. */
export const defaultDataDir =
  process.getuid?.() === 0 ? '/var/lib/tsukube' : join(homedir(), '.local', 'share', 'tsukube');

export const dataDirFlag = { type: 'string', default: defaultDataDir, help: 'directory of the cluster' } as const;
