import { chmod, chown, lchown, lstat, readdir } from 'node:fs/promises';

/** Gives a volume to the pod's group: group-owned, group read-write, set-group-id directories. Upstream: SetVolumeOwnership. */
export async function giveToGroup(path: string, gid: number, onlyWhenRootDiffers: boolean): Promise<void> {
  const root = await lstat(path);
  const wanted = 0o2070;
  if (onlyWhenRootDiffers && root.gid === gid && (root.mode & wanted) === wanted) return;
  await giveTree(path, gid);
}

async function giveTree(path: string, gid: number): Promise<void> {
  const stats = await lstat(path);
  if (stats.isSymbolicLink()) return lchown(path, stats.uid, gid);
  await chown(path, stats.uid, gid);
  if (!stats.isDirectory()) {
    if (stats.isFile()) await chmod(path, (stats.mode & 0o7777) | 0o660);
    return;
  }
  await chmod(path, (stats.mode & 0o7777) | 0o2770);
  for (const entry of await readdir(path)) await giveTree(`${path}/${entry}`, gid);
}
