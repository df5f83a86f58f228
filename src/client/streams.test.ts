import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ApiRequest, ByteStream, Handler } from '../api/transport.ts';
import { seededRandom } from '../base/random.ts';
import { attach, createClient, exec, inProcessTransport, portForward, readLogs } from './index.ts';
import { concat } from './lines.ts';
import { decodeFrame, encodeFrame } from './websocket.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (s: string) => new TextEncoder().encode(s);

/** A server's frame: not masked. */
function frame(payload: Uint8Array, opcode = 2): Uint8Array {
  const head = payload.length < 126 ? [payload.length] : [126, payload.length >> 8, payload.length & 255];
  return concat([Uint8Array.of(0x80 | opcode, ...head), payload]);
}
/** A client's frame, unmasked. */
function unmask(data: Uint8Array): Uint8Array {
  const decoded = decodeMasked(data);
  assert.ok(decoded);
  return decoded;
}
function decodeMasked(data: Uint8Array): Uint8Array | undefined {
  const length = (data[1] ?? 0) & 0x7f;
  if (length > 125) return undefined;
  const mask = data.subarray(2, 6);
  return data.slice(6, 6 + length).map((b, i) => b ^ (mask[i % 4] ?? 0));
}

function serve(protocol: string, run: (stream: ByteStream, request: ApiRequest) => Promise<void>) {
  const handler: Handler = async request => {
    const key = request.headers['sec-websocket-key'] ?? '';
    const digest = await crypto.subtle.digest('SHA-1', bytes(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`));
    const accept = btoa(String.fromCharCode(...new Uint8Array(digest)));
    const stream = await request.upgrade?.(101, { 'sec-websocket-accept': accept, 'sec-websocket-protocol': protocol });
    assert.ok(stream);
    await run(stream, request);
    return { status: 101, headers: {} };
  };
  return createClient(inProcessTransport(handler));
}
async function* once(data: string): AsyncGenerator<Uint8Array> {
  yield bytes(data);
}
const status = (value: object) => concat([Uint8Array.of(3), bytes(JSON.stringify(value))]);

test('a command gets its input, and gives output, errors and its exit code', async () => {
  let asked = '';
  const client = serve('v5.channel.k8s.io', async (stream, request) => {
    asked = `${request.path}?${request.query}`;
    const got: Uint8Array[] = [];
    for await (const chunk of stream.readable) {
      got.push(unmask(chunk));
      if (got.length === 2) break;
    }
    assert.deepEqual(
      got.map(m => [...m]),
      [
        [0, 104, 105],
        [255, 0],
      ],
      'input, then its end',
    );
    const out = frame(concat([Uint8Array.of(1), bytes('out')]));
    await stream.write(out.subarray(0, 3));
    await stream.write(
      concat([out.subarray(3), frame(Uint8Array.of(), 9), frame(concat([Uint8Array.of(2), bytes('err')]))]),
    );
    const causes = [{ reason: 'ExitCode', message: '7' }];
    await stream.write(
      frame(
        status({
          status: 'Failure',
          reason: 'NonZeroExitCode',
          message: 'command terminated with non-zero exit code',
          details: { causes },
        }),
      ),
    );
    await stream.write(frame(Uint8Array.of(3, 232), 8));
  });
  const seen: string[] = [];
  const result = await exec(client, {
    namespace: 'a',
    pod: 'p',
    command: ['sh', '-c', 'x y'],
    stdin: once('hi'),
    stdout: chunk => void seen.push(`1${text(chunk)}`),
    stderr: chunk => void seen.push(`2${text(chunk)}`),
  });
  assert.equal(result.exitCode, 7);
  assert.deepEqual(seen, ['1out', '2err']);
  assert.equal(
    asked,
    '/api/v1/namespaces/a/pods/p/exec?stdin=true&stdout=true&stderr=true&command=sh&command=-c&command=x+y',
  );
});

test('a connection that breaks is no success, and a refusal is an ApiError', async () => {
  const client = serve('v5.channel.k8s.io', async stream => stream.end());
  await assert.rejects(
    attach(client, { namespace: 'a', pod: 'p', stdout: () => undefined }),
    /closed before the command ended/,
  );
  const refusing = createClient(
    inProcessTransport(async () => ({
      status: 404,
      headers: {},
      body: bytes('{"kind":"Status","code":404,"reason":"NotFound","message":"pods \\"p\\" not found"}'),
    })),
  );
  await assert.rejects(exec(refusing, { namespace: 'a', pod: 'p', command: ['x'] }), /pods "p" not found/);
});

test('a forwarded port carries bytes both ways, and the error channel breaks it', async () => {
  const client = serve('v4.channel.k8s.io', async (stream, request) => {
    assert.equal(request.query.get('ports'), '8080');
    await stream.write(concat([frame(Uint8Array.of(0, 144, 31)), frame(Uint8Array.of(1, 144, 31))]));
    for await (const chunk of stream.readable) {
      await stream.write(frame(unmask(chunk)));
      break;
    }
    await stream.write(frame(concat([Uint8Array.of(1), bytes('lost')])));
  });
  const stream = await portForward(client, { namespace: 'a', pod: 'p', port: 8080 });
  await stream.write(bytes('ping'));
  const got: string[] = [];
  await assert.rejects(async () => {
    for await (const chunk of stream.readable) got.push(text(chunk));
  }, /lost/);
  assert.deepEqual(got, ['ping']);
});

test('logs are streamed with the options asked for', async () => {
  let asked = '';
  const client = createClient(
    inProcessTransport(async request => {
      asked = `${request.path}?${request.query}`;
      return { status: 200, headers: {}, body: once('line\n') };
    }),
  );
  const got: string[] = [];
  for await (const chunk of readLogs(client, { namespace: 'a', pod: 'p', container: 'c', follow: true, tailLines: 5 }))
    got.push(text(chunk));
  assert.deepEqual(got, ['line\n']);
  assert.equal(asked, '/api/v1/namespaces/a/pods/p/log?container=c&follow=true&tailLines=5');
});

test('frames of any size keep their payload', () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 70_000), size => {
      const payload = seededRandom(size).bytes(size);
      const masked = encodeFrame(2, payload, seededRandom(1));
      const head = size < 126 ? 2 : size < 65_536 ? 4 : 10;
      const mask = masked.subarray(head, head + 4);
      const body = masked.slice(head + 4).map((b, i) => b ^ (mask[i % 4] ?? 0));
      const plain = concat([masked.subarray(0, head), body]);
      plain[1] = (plain[1] ?? 0) & 0x7f;
      assert.deepEqual(decodeFrame(plain)?.frame.payload, payload);
      assert.equal(decodeFrame(plain.subarray(0, plain.length - 1)), undefined);
    }),
  );
});
