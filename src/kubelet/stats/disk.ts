/** What files take on disk. */
import { lstat, opendir, statfs } from 'node:fs/promises';

export interface DiskUsage {
  /** Blocks on disk, as du counts them. */
  bytes: number;
  inodes: number;
}
export interface Filesystem {
  availableBytes: number;
  capacityBytes: number;
  inodesFree: number;
  inodes: number;
}

/** Everything at and below a path on the path's own file system; a file with several names counts once. What vanishes meanwhile is skipped. */
export async function diskUsage(path: string): Promise<DiskUsage> {
  const total: DiskUsage = { bytes: 0, inodes: 0 };
  const root = await lstat(path).catch(() => undefined);
  if (!root) return total;
  const linked = new Set<number>();
  const visit = async (at: string): Promise<void> => {
    const entry = await lstat(at).catch(() => undefined);
    if (!entry || entry.dev !== root.dev || linked.has(entry.ino)) return;
    if (entry.nlink > 1 && !entry.isDirectory()) linked.add(entry.ino);
    total.bytes += entry.blocks * 512;
    total.inodes += 1;
    if (!entry.isDirectory()) return;
    const directory = await opendir(at).catch(() => undefined);
    if (directory) for await (const { name } of directory) await visit(`${at}/${name}`);
  };
  await visit(path);
  return total;
}

export async function filesystemOf(path: string): Promise<Filesystem | undefined> {
  const fs = await statfs(path).catch(() => undefined);
  return (
    fs && {
      availableBytes: fs.bavail * fs.bsize,
      capacityBytes: fs.blocks * fs.bsize,
      inodesFree: fs.ffree,
      inodes: fs.files,
    }
  );
}
