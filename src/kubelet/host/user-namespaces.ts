/** Ranges of host ids for pods with a user namespace of their own: 65,536 each, never two alike. Upstream: pkg/kubelet/userns. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';

export interface IdRange {
  hostId: number;
  length: number;
}

const length = 65_536;

/** A pod's range is kept in its folder, so that it is free when the folder is gone. */
export function createUserNamespaces(podsDirectory: string) {
  let tail: Promise<unknown> = Promise.resolve();
  const fileOf = (uid: string) => `${podsDirectory}/${uid}/userns`;
  const read = async (uid: string): Promise<number | undefined> => {
    const text = await readFile(fileOf(uid), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : Number(JSON.parse(text).uidMappings[0].hostId);
  };
  async function take(uid: string): Promise<IdRange> {
    const known = await read(uid);
    if (known !== undefined) return { hostId: known, length };
    const taken = new Set<number | undefined>();
    for (const other of await readdir(podsDirectory).catch(() => [])) taken.add(await read(other));
    // The first range is the host's own.
    let hostId = length;
    while (taken.has(hostId)) hostId += length;
    const mappings = [{ hostId, containerId: 0, length }];
    await mkdir(`${podsDirectory}/${uid}`, { recursive: true, mode: 0o750 });
    await writeFile(fileOf(uid), JSON.stringify({ uidMappings: mappings, gidMappings: mappings }));
    return { hostId, length };
  }
  return {
    rangeOf(uid: string): Promise<IdRange> {
      const work = tail.then(() => take(uid));
      tail = work.catch(() => undefined);
      return work;
    },
  };
}
