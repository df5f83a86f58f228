/**
 * Ordinary manifests apply unchanged: each file of test/manifests with the real kubectl, on the client and on the server. Applied again it writes
 * nothing, a diff is empty, and all of it can be deleted.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlServer, whyNoKubectl } from '../support/kubectl-server.ts';

const folder = join(import.meta.dirname, '../manifests');
const files = readdirSync(folder).filter(file => file.endsWith('.yaml'));
const definitions = files.filter(file => /-crds?\.yaml$/.test(file));

for (const mode of ['client', 'server'] as const) {
  const flags = mode === 'server' ? ['--server-side'] : [];
  describe(`manifests applied on the ${mode}`, { skip: whyNoKubectl(), concurrency: 3, timeout: 300_000 }, () => {
    let server: KubectlServer;
    before(async () => {
      server = await startKubectlServer();
      await server.ok('create', 'serviceaccount', 'default');
      for (const file of definitions) await server.ok('apply', ...flags, '-f', join(folder, file));
      await server.ok('wait', '--for=condition=established', 'crd', '--all', '--timeout=20s');
    });
    after(() => server?.close());

    for (const file of files) {
      it(file, async () => {
        const path = join(folder, file);
        await server.ok('apply', ...flags, '-f', path);
        const revisions = () =>
          server.ok('get', '-f', path, '-o', 'jsonpath={..metadata.uid} {..metadata.resourceVersion}');
        const first = await revisions();
        const diff = await server.kubectl(['diff', ...flags, '-f', path]);
        assert.equal(diff.code, 0, `${diff.out}${diff.err}`);
        await server.ok('apply', ...flags, '-f', path);
        assert.equal(await revisions(), first, 'applying again wrote something');
        // Definitions stay for the other files; a server without controllers does not finish namespaces.
        if (!definitions.includes(file)) {
          const deleted = await server.ok('delete', '--wait=false', '-f', path);
          assert.match(deleted, /deleted/);
        }
      });
    }
  });
}

describe('the manifests', () => {
  it('are at least thirty', () => assert.ok(files.length >= 30, `${files.length} files`));
});
