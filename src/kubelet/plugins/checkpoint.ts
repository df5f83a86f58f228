import { readFile, rename, writeFile } from 'node:fs/promises';

/** A value that outlives the process: read once, written as a whole by renaming. Writes follow one another. */
export interface Checkpoint<T> {
  load(): Promise<T>;
  save(value: T): Promise<void>;
}

export function createCheckpoint<T>(path: string, empty: () => T): Checkpoint<T> {
  let tail = Promise.resolve();
  return {
    async load() {
      try {
        return JSON.parse(await readFile(path, 'utf8')) as T;
      } catch {
        return empty();
      }
    },
    save(value) {
      const text = JSON.stringify(value);
      const write = async () => {
        await writeFile(`${path}.new`, text, { mode: 0o600 });
        await rename(`${path}.new`, path);
      };
      tail = tail.catch(() => undefined).then(write);
      return tail;
    },
  };
}
