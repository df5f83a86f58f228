import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byteStreamPair } from './bytes.ts';
import { createSpdyConnection, type SpdyStream } from './spdy.ts';
import { createHeaderDecoder, createHeaderEncoder, spdyDictionary } from './spdy-headers.ts';

async function bytes(readable: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('the dictionary has the checksum that the zlib header names', () => {
  let a = 1;
  let b = 0;
  for (const byte of spdyDictionary) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  assert.equal(b * 65536 + a, 0xe3c6a7c2);
});

test('header blocks survive a round trip, in order', async () => {
  const word = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.dictionary(word, word), { maxLength: 5 }), async blocks => {
      const encode = createHeaderEncoder();
      const decoder = createHeaderDecoder();
      for (const block of blocks) assert.deepEqual({ ...(await decoder.decode(encode(block))) }, { ...block });
      decoder.close();
    }),
    { numRuns: 50 },
  );
});

test('streams carry data both ways, half-close and end with the connection', async () => {
  const [near, far] = byteStreamPair();
  const opened: SpdyStream[] = [];
  const server = createSpdyConnection(far, {
    role: 'server',
    onStream(stream) {
      opened.push(stream);
      void (async () => {
        await stream.write(await bytes(stream.readable));
        stream.end();
      })().catch(() => undefined);
    },
  });
  const client = createSpdyConnection(near, { role: 'client' });
  const first = await client.open({ StreamType: 'data', port: '80' });
  const second = await client.open({ streamtype: 'error' });
  const payload = Buffer.alloc(100_000, 'z');
  await first.write(payload);
  first.end();
  second.end();
  assert.deepEqual(await bytes(first.readable), payload);
  assert.equal((await bytes(second.readable)).length, 0);
  assert.deepEqual(
    opened.map(s => ({ ...s.headers })),
    [{ streamtype: 'data', port: '80' }, { streamtype: 'error' }],
  );
  const third = await client.open({ streamtype: 'stdin' });
  client.close();
  await Promise.all([client.closed, server.closed]);
  assert.equal((await bytes(third.readable)).length, 0);
  await assert.rejects(client.open({}), /closed/);
});

test('a reset ends the stream on the other side', async () => {
  const [near, far] = byteStreamPair();
  const served = Promise.withResolvers<SpdyStream>();
  createSpdyConnection(far, { role: 'server', onStream: served.resolve });
  const client = createSpdyConnection(near, { role: 'client' });
  const stream = await client.open({});
  const peer = await served.promise;
  stream.reset();
  assert.equal((await bytes(peer.readable)).length, 0);
  await assert.rejects(stream.write(Buffer.from('x')), /closed/);
  client.close();
});
