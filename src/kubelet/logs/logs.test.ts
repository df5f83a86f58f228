import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../base/clock.ts';
import { type LogOptions, readLog } from './reader.ts';
import { rotateLog } from './rotation.ts';

async function scratch(t: TestContext): Promise<string> {
  const dir = await mkdtemp('/tmp/tn-log-');
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
const line = (text: string, stream = 'stdout', flag = 'F', second = 0) =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z ${stream} ${flag} ${text}\n`;
const { signal } = new AbortController();
async function read(path: string, options: Partial<LogOptions> = {}): Promise<string> {
  const chunks: Uint8Array[] = [];
  const environment = { clock: systemClock, signal, running: () => false };
  for await (const chunk of readLog(path, { follow: false, timestamps: false, ...options }, environment))
    chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('partial lines are joined, streams and times selected', async t => {
  const path = `${await scratch(t)}/0.log`;
  await writeFile(
    path,
    line('a', 'stdout', 'P') + line('b') + line('err', 'stderr', 'F', 5) + line('', 'stdout', 'F', 9),
  );
  assert.equal(await read(path), 'ab\nerr\n\n');
  assert.equal(await read(path, { stream: 'stderr' }), 'err\n');
  assert.equal(await read(path, { sinceMs: Date.UTC(2026, 0, 1, 0, 0, 5) }), 'err\n\n');
  assert.equal(await read(path, { limitBytes: 4 }), 'ab\ne');
  assert.equal(await read(path, { stream: 'stderr', timestamps: true }), '2026-01-01T00:00:05.000000001Z err\n');
});

test('tail gives exactly the last lines, however long they are', async t => {
  const path = `${await scratch(t)}/0.log`;
  const lengths = fc.array(fc.oneof(fc.nat(20), fc.constantFrom(65_000, 65_536, 70_000)), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(lengths, fc.nat(10), async (sizes, tailLines) => {
      const texts = sizes.map((n, i) => String(i).padEnd(n, 'x'));
      await writeFile(path, texts.map(x => line(x)).join(''));
      const wanted = (tailLines === 0 ? [] : texts.slice(-tailLines)).map(x => `${x}\n`).join('');
      assert.equal(await read(path, { tailLines }), wanted);
    }),
    { numRuns: 40 },
  );
});

test('following goes over a rotation and ends with the container', async t => {
  const dir = await scratch(t);
  const path = `${dir}/0.log`;
  await writeFile(path, line('one'));
  let running = true;
  const environment = { clock: systemClock, signal, running: () => running };
  const reader = readLog(path, { follow: true, timestamps: false }, environment);
  assert.equal(String((await reader.next()).value), 'one\n');
  await appendFile(path, line('two'));
  assert.equal(String((await reader.next()).value), 'two\n');
  const rotated = await rotateLog(path, { maxBytes: 1, maxFiles: 5 }, 0, () => writeFile(path, line('three')));
  assert.equal(rotated, true);
  assert.equal(String((await reader.next()).value), 'three\n');
  running = false;
  await appendFile(path, '');
  assert.equal((await reader.next()).done, true);
});

test('rotation keeps so many files, compresses old ones, and undoes itself when the runtime fails', async t => {
  const dir = await scratch(t);
  const path = `${dir}/0.log`;
  for (let i = 0; i < 6; i++) {
    await writeFile(path, `generation ${i}`);
    await rotateLog(path, { maxBytes: 5, maxFiles: 4 }, i * 1000, async () => undefined);
  }
  await writeFile(path, 'new');
  const names = (await readdir(dir)).sort();
  assert.deepEqual(names, ['0.log', '0.log.19700101-000003.gz', '0.log.19700101-000004.gz', '0.log.19700101-000005']);
  await writeFile(path, 'large enough');
  const fail = () => Promise.reject(new Error('runtime is away'));
  await assert.rejects(rotateLog(path, { maxBytes: 5, maxFiles: 4 }, 9000, fail), /runtime is away/);
  assert.equal(await readFile(path, 'utf8'), 'large enough');
  assert.equal(await rotateLog(path, { maxBytes: 50, maxFiles: 4 }, 9000, fail), false);
});
