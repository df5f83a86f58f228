import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { callExtender, loadSchedulerConfiguration, parseDuration } from './scheduler-configuration.ts';

function withFiles(files: Record<string, string>, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tsukube-scheduler-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return work(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
}

const header = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';

test('a plugin is a TypeScript module that the configuration names', () =>
  withFiles(
    {
      'config.yaml': `${header}pluginModules: [./night.ts]
profiles:
- schedulerName: night
  percentageOfNodesToScore: 30
  plugins: {multiPoint: {enabled: [{name: Night, weight: 2}]}}
`,
      'night.ts': `const name: string = 'Night';
export default { name, create: (args: { hour?: number }) => ({ name, score: () => args.hour ?? 0 }) };
`,
    },
    async folder => {
      const { configuration, plugins } = await loadSchedulerConfiguration(join(folder, 'config.yaml'));
      assert.equal(configuration.profiles?.[0]?.percentageOfNodesToScore, 30);
      assert.deepEqual(
        plugins.map(p => p.name),
        ['Night'],
      );
    },
  ));

test('what is no configuration, or no plugin, is refused', () =>
  withFiles(
    {
      'wrong.yaml': 'apiVersion: v1\nkind: Pod\n',
      'bad.yaml': `${header}pluginModules: [./bad.ts]\n`,
      'bad.ts': 'export default 7;\n',
    },
    async folder => {
      await assert.rejects(loadSchedulerConfiguration(join(folder, 'wrong.yaml')), /KubeSchedulerConfiguration/);
      await assert.rejects(loadSchedulerConfiguration(join(folder, 'bad.yaml')), /is no plugin/);
    },
  ));

test('durations', () => {
  for (const [text, ms] of [
    ['5s', 5_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['100ms', 100],
  ] as const)
    assert.equal(parseDuration(text), ms);
  assert.throws(() => parseDuration('soon'), /not a duration/);
});

test('extenders are asked with JSON over HTTP', async () => {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () => {
      response.statusCode = request.url === '/x/filter' ? 200 : 500;
      response.end(JSON.stringify({ got: JSON.parse(body) }));
    });
  });
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done));
  const prefix = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  const { signal } = new AbortController();
  try {
    assert.deepEqual(await callExtender({ urlPrefix: prefix }, `${prefix}/filter`, { a: 1 }, signal), {
      got: { a: 1 },
    });
    await assert.rejects(callExtender({ urlPrefix: prefix }, `${prefix}/other`, {}, signal), /answered 500/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
