import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { load } from 'js-yaml';
import { addToKubeconfig, removeFromKubeconfig, withEntry, withoutEntry } from './kubeconfig-merge.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const entry = { name: 'tsukube', server: 'https://127.0.0.1:6443', authority: 'CA', certificate: 'C', key: 'K' };

test('a cluster is added to what is there, and taken out again', () => {
  const path = join(directory, 'sub', 'config');
  addToKubeconfig(path, entry);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const mine = { name: 'mine', context: { cluster: 'x', user: 'y' }, extra: true };
  const before = { contexts: [mine], 'current-context': 'mine', preferences: { colors: true } };
  const merged = withEntry(before, entry);
  assert.equal(merged['current-context'], 'tsukube');
  assert.deepEqual(merged['preferences'], { colors: true });
  assert.deepEqual(withEntry(merged, entry), merged);
  const after = withoutEntry(merged, 'tsukube');
  assert.deepEqual([after.contexts, after['current-context'], after.users], [[mine], 'mine', []]);
  removeFromKubeconfig(path, 'tsukube');
  assert.deepEqual((load(readFileSync(path, 'utf8')) as { clusters: unknown[] }).clusters, []);
});

test('a file that is no kubeconfig is not overwritten', () => {
  const path = join(directory, 'config');
  writeFileSync(path, 'hello');
  assert.throws(() => addToKubeconfig(path, entry), /is not a kubeconfig/);
  assert.equal(readFileSync(path, 'utf8'), 'hello');
});
