import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { Pod } from '../../../src/api/types/core-v1.ts';
import { buildImage } from '../../../src/kubelet/images/oci-archive.ts';
import { busyboxDraft } from '../../support/images.ts';
import { createLinuxNodeFixture, type LinuxNodeFixture, ready } from '../../support/linux-node.ts';
import { whyNoContainers } from '../../support/node.ts';

const skip = whyNoContainers();
let f: LinuxNodeFixture;
let registry: Server;
let host = '';
/** Paths that were asked for with the right password. */
const pulls: string[] = [];

/** A registry with one image, behind a password: the distribution API's GET and HEAD. */
function startRegistry(): Server {
  const draft = busyboxDraft();
  const entries = [...draft.entries, { path: 'private', content: Buffer.from('unlike any other') }];
  const { manifest, config, layer } = buildImage({ ...draft, entries });
  const blobs = new Map([manifest, config, layer].map(b => [`sha256:${b.digest}`, b.bytes]));
  const password = `Basic ${Buffer.from('user:pass').toString('base64')}`;
  return createServer((request, response) => {
    if (request.headers.authorization !== password) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' });
      response.end();
      return;
    }
    const [, kind = '', reference = ''] = /^\/v2\/private\/app\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    const bytes = reference === '1' ? manifest.bytes : blobs.get(reference);
    if (!bytes) {
      response.writeHead(request.url === '/v2/' ? 200 : 404);
      response.end();
      return;
    }
    pulls.push(`${request.method} ${kind}`);
    const type = kind === 'manifests' ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream';
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length, 'docker-content-digest': digest });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  });
}

before(async () => {
  if (skip) return;
  registry = startRegistry().listen(0, '127.0.0.1');
  await once(registry, 'listening');
  host = `localhost:${(registry.address() as AddressInfo).port}`;
  f = await createLinuxNodeFixture({}, '10.199.5.0/24');
});
after(async () => {
  await f?.destroy();
  registry?.closeAllConnections();
  registry?.close();
});

const forever = ['sh', '-c', 'trap "exit 0" TERM; while true; do sleep 0.1; done'];
const reasonOf = (p: Pod) => p.status?.containerStatuses?.[0]?.state?.waiting?.reason;

test('a private image needs its secret, is pulled once, and obeys the pull policy', { skip }, async () => {
  const image = `${host}/private/app:1`;
  await f.create('never', { containers: [{ name: 'app', image, imagePullPolicy: 'Never', command: forever }] });
  await f.until('never', p => reasonOf(p) === 'ErrImageNeverPull');
  await f.create('refused', {
    containers: [{ name: 'app', image, imagePullPolicy: 'IfNotPresent', command: forever }],
  });
  await f.until('refused', p => ['ErrImagePull', 'ImagePullBackOff'].includes(reasonOf(p) ?? ''));
  assert.deepEqual(pulls, []);
  const auths = { [host]: { auth: Buffer.from('user:pass').toString('base64') } };
  await f.client.resource('v1/secrets', 'default').create({
    metadata: { name: 'registry' },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') },
  });
  const allowed = { imagePullSecrets: [{ name: 'registry' }] };
  await f.create('pulled', {
    ...allowed,
    containers: [{ name: 'app', image, imagePullPolicy: 'IfNotPresent', command: forever }],
  });
  const pod = await f.until('pulled', ready);
  assert.match(
    pod.status?.containerStatuses?.[0]?.imageID ?? '',
    new RegExp(`^${host}/private/app@sha256:[0-9a-f]{64}$`),
  );
  assert.equal(pulls.filter(p => p === 'GET blobs').length, 2);
  await f.create('again', {
    ...allowed,
    containers: [{ name: 'app', image, imagePullPolicy: 'IfNotPresent', command: forever }],
  });
  await f.until('again', ready);
  assert.equal(pulls.filter(p => p === 'GET blobs').length, 2);
  const events = await f.events();
  assert.ok(events.some(e => e.startsWith(`Normal Pulled Successfully pulled image "${image}" in `)));
  assert.ok(events.some(e => e.startsWith(`Normal Pulled Container image "${image}" already present on machine`)));
});
