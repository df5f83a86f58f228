/** The package as a user installs it: its exports, its command and its types, without the sources. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
let directory: string;
const run = (file: string, ...args: string[]) => execFileSync(file, args, { cwd: directory, encoding: 'utf8' });

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'package-'));
  const modules = join(directory, 'node_modules');
  const own = join(modules, 'tsukube');
  mkdirSync(own, { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== 'tsukube') symlinkSync(join(root, 'node_modules', name), join(modules, name));
  execFileSync(process.execPath, ['scripts/build.ts', '--types', `--outdir=${join(own, 'dist')}`], {
    cwd: root,
    stdio: 'inherit',
  });
  for (const item of ['package.json', 'bin']) cpSync(join(root, item), join(own, item), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
});
after(() => rmSync(directory, { recursive: true, force: true }));

test('createCluster is there for other people’s tests', () => {
  writeFileSync(
    join(directory, 'use.js'),
    `import { createCluster } from 'tsukube/testing';
     const cluster = await createCluster({ nodes: 2 });
     console.log((await cluster.client.nodes().list()).items.length);
     await cluster.close();`,
  );
  assert.equal(run(process.execPath, 'use.js').trim(), '2');
});

test('types come along', () => {
  writeFileSync(
    join(directory, 'use.ts'),
    `import { createCluster } from 'tsukube/testing';
     import type { Controller } from 'tsukube/controller';
     const cluster = await createCluster();
     const name: string = (await cluster.client.pods('default').get('x')).metadata.name;
     // @ts-expect-error a name is no number
     const wrong: number = (await cluster.client.pods('default').get('x')).metadata.name;
     export type { Controller };
     export { name, wrong };`,
  );
  run(
    join(root, 'node_modules', '.bin', 'tsc'),
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'esnext',
    '--skipLibCheck',
    'use.ts',
  );
});

test('the command runs from the bundle', () => {
  assert.match(run('sh', join('node_modules', 'tsukube', 'bin', 'tsukube'), 'help'), /Start a cluster/);
});
