import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../base/clock.ts';
import { createCriRuntime } from '../../kubelet/runtime/cri/index.ts';
import { clusterId, readClusterConfig } from '../cluster.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { nodePaths } from '../run/node.ts';
import { dataDirFlag } from './shared.ts';

const run = promisify(execFile);
const usage = 'usage: tsukube image import FILE… | ls | rm NAME…';

export const image = command({
  usage: 'import FILE… | ls | rm NAME… [flags]',
  flags: { 'data-dir': dataDirFlag },
  async run(flags, [verb, ...names]) {
    const dataDir = resolve(flags['data-dir']);
    const id = readClusterConfig(dataDir)?.id ?? clusterId(dataDir);
    const socket = join(nodePaths({ dataDir, id }).state, 'containerd.sock');
    if (!existsSync(socket)) throw new Error(`no node with a container runtime runs from ${dataDir}`);
    if (verb === 'import' && names.length > 0) return importAll(socket, names);
    if (verb === 'ls' && names.length === 0) return list(socket);
    if (verb === 'rm' && names.length > 0) return remove(socket, names);
    throw new UsageError(usage);
  },
});

async function importAll(socket: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (!existsSync(file)) throw new Error(`${file}: no such file`);
    // An archive as `docker save` and `buildah push oci-archive:` make it.
    const { stdout } = await run('ctr', [
      '--address',
      socket,
      '--namespace',
      'k8s.io',
      'images',
      'import',
      '--all-platforms',
      file,
    ]);
    for (const line of stdout.trim().split('\n'))
      console.log(line.replace(/^unpacking /, 'imported ').replace(/ \(sha256.*$/, ''));
  }
}

async function list(socket: string): Promise<void> {
  const runtime = createCriRuntime({ socket, clock: systemClock });
  const images = await runtime.listImages();
  await runtime.close();
  const rows = images.map(
    i =>
      [
        i.repoTags[0] ?? i.repoDigests[0] ?? '<none>',
        i.id.replace(/^sha256:/, '').slice(0, 12),
        `${(Number(i.size) / 1e6).toFixed(1)} MB`,
      ] as const,
  );
  const width = Math.max(5, ...rows.map(([name]) => name.length)) + 2;
  console.log(`${'IMAGE'.padEnd(width)}${'ID'.padEnd(14)}SIZE`);
  for (const [name, id, size] of rows.sort()) console.log(`${name.padEnd(width)}${id.padEnd(14)}${size}`);
}

async function remove(socket: string, names: readonly string[]): Promise<void> {
  const runtime = createCriRuntime({ socket, clock: systemClock });
  try {
    for (const name of names) {
      if (!(await runtime.imageStatus({ image: name }))) throw new Error(`image "${name}" is not here`);
      await runtime.removeImage({ image: name });
      console.log(`removed ${name}`);
    }
  } finally {
    await runtime.close();
  }
}
