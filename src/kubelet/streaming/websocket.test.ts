import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStreamPair } from './bytes.ts';
import { acceptKey, createMessageSocket } from './websocket.ts';

test('the accept key of RFC 6455', () => {
  assert.equal(acceptKey('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('messages of any size arrive whole, masked or not', async () => {
  const sizes = fc.array(fc.oneof(fc.nat(200), fc.constantFrom(125, 126, 65_535, 65_536)), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.boolean(), async (lengths, masked) => {
      const [near, far] = byteStreamPair();
      const client = createMessageSocket(near, 'p', masked ? () => Uint8Array.of(9, 8, 7, 6) : undefined);
      const server = createMessageSocket(far, 'p');
      const sent = lengths.map((n, i) => Buffer.alloc(n, i + 1));
      for (const message of sent) await client.send(message);
      client.close();
      const got: Buffer[] = [];
      for await (const message of server.messages) got.push(Buffer.from(message));
      assert.deepEqual(got, sent);
      await server.closed;
      await assert.rejects(client.send(Buffer.from('x')), /closed/);
    }),
    { numRuns: 40 },
  );
});

test('fragments are joined and pings answered between them', async () => {
  const [near, far] = byteStreamPair();
  const server = createMessageSocket(far, '');
  await near.write(Buffer.from([0x02, 1, 97]));
  await near.write(Buffer.from([0x89, 1, 33]));
  await near.write(Buffer.from([0x80, 1, 98, 0x88, 0]));
  const got: string[] = [];
  for await (const message of server.messages) got.push(Buffer.from(message).toString());
  assert.deepEqual(got, ['ab']);
  const answers = near.readable[Symbol.asyncIterator]();
  assert.deepEqual([...(await answers.next()).value], [0x8a, 1, 33]);
});
