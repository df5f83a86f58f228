import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { importViolations } from './import-graph.ts';

test('imports run one way, and the portable core imports nothing from node:', () => {
  assert.deepEqual(importViolations(join(import.meta.dirname, '..')), []);
});
