import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer } from '../../../test/support/control.ts';
import { isNotFound } from '../../base/errors.ts';

test('objects that the server needs come back within a minute', async () => {
  const server = await createServer();
  try {
    const schemas = server.client.flowschemas();
    await schemas.delete('catch-all');
    await server.clock.advance(59_000);
    await assert.rejects(schemas.get('catch-all'), isNotFound);
    await server.clock.advance(2_000);
    assert.equal((await schemas.get('catch-all')).spec.matchingPrecedence, 10_000);
  } finally {
    await server.close();
  }
});
