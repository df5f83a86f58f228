import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { strategies } from './index.ts';

const catalog = JSON.parse(readFileSync(new URL('../../api/catalog/catalog.json', import.meta.url), 'utf8')) as {
  resources: { group: string; plural: string; verbs: string[] }[];
};

test('every stored kind of the catalog has a strategy, and no other', () => {
  const stored = catalog.resources.filter(r => r.verbs.includes('get')).map(r => `${r.group}/${r.plural}`);
  assert.deepEqual(strategies.map(s => s.resource).sort(), [...new Set(stored)].sort());
});
