import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { writeAtomically } from './atomic-writer.ts';
import { unmountBelow } from './mount.ts';
import { prepareSubPath } from './subpath.ts';

async function scratch(t: TestContext): Promise<string> {
  const dir = await mkdtemp('/tmp/tn-vol-');
  t.after(async () => {
    await unmountBelow(dir);
    await rm(dir, { recursive: true, force: true });
  });
  return dir;
}
const file = (text: string, mode = 0o644) => ({ content: Buffer.from(text), mode });

test('a payload appears at once, is swapped at once, and an equal one changes nothing', async t => {
  const dir = await scratch(t);
  assert.equal(
    await writeAtomically(
      dir,
      new Map([
        ['a', file('1')],
        ['d/b', file('2', 0o600)],
      ]),
    ),
    true,
  );
  assert.equal(await readFile(`${dir}/a`, 'utf8'), '1');
  assert.equal(await readFile(`${dir}/d/b`, 'utf8'), '2');
  const first = await readlink(`${dir}/..data`);
  assert.equal(
    await writeAtomically(
      dir,
      new Map([
        ['a', file('1')],
        ['d/b', file('2', 0o600)],
      ]),
    ),
    false,
  );
  assert.equal(await readlink(`${dir}/..data`), first);
  assert.equal(
    await writeAtomically(
      dir,
      new Map([
        ['a', file('3')],
        ['c', file('4')],
      ]),
    ),
    true,
  );
  assert.equal(await readFile(`${dir}/a`, 'utf8'), '3');
  assert.equal(existsSync(`${dir}/d`), false);
  assert.equal(existsSync(`${dir}/${first}`), false);
  await assert.rejects(writeAtomically(dir, new Map([['../x', file('')]])), /invalid path/);
  await assert.rejects(writeAtomically(dir, new Map([['..x', file('')]])), /invalid path/);
});

test('subPath: makes directories, follows links that stay inside, refuses those that leave', {
  skip: process.getuid?.() !== 0,
}, async t => {
  const dir = await scratch(t);
  await mkdir(`${dir}/volume/real`, { recursive: true });
  await mkdir(`${dir}/outside`);
  await writeFile(`${dir}/outside/secret`, 'secret');
  await writeFile(`${dir}/volume/real/file`, 'inside');
  await symlink('real', `${dir}/volume/link`);
  await symlink(`${dir}/outside`, `${dir}/volume/escape`);
  await prepareSubPath(`${dir}/volume`, 'new/deep', `${dir}/mounts/new`);
  await writeFile(`${dir}/mounts/new/x`, 'x');
  assert.equal(await readFile(`${dir}/volume/new/deep/x`, 'utf8'), 'x');
  await prepareSubPath(`${dir}/volume`, 'link', `${dir}/mounts/link`);
  assert.equal(await readFile(`${dir}/mounts/link/file`, 'utf8'), 'inside');
  await prepareSubPath(`${dir}/volume`, 'real/file', `${dir}/mounts/file`);
  assert.equal(await readFile(`${dir}/mounts/file`, 'utf8'), 'inside');
  await mkdir(`${dir}/config`);
  await writeAtomically(`${dir}/config`, new Map([['key', { content: Buffer.from('value'), mode: 0o644 }]]));
  await prepareSubPath(`${dir}/config`, 'key', `${dir}/mounts/key`);
  assert.equal(await readFile(`${dir}/mounts/key`, 'utf8'), 'value', 'the key of a configMap, which is two links');
  for (const bad of ['escape', 'escape/secret', '../outside', '/etc'])
    await assert.rejects(
      prepareSubPath(`${dir}/volume`, bad, `${dir}/mounts/bad`),
      /not within volume|invalid subPath/,
    );
  await assert.rejects(
    prepareSubPath(`${dir}/volume`, 'escape/made', `${dir}/mounts/bad`),
    /unexpected symlink|ENOTDIR|ELOOP/,
  );
  assert.equal(existsSync(`${dir}/outside/made`), false);
});
