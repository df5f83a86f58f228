import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { createServer } from '../../../test/support/control.ts';
import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { createAuthority, parseCertificate, signCertificateRequest } from '../../pki/index.ts';
import { createNodeCertificate } from './certificates.ts';

const day = 86_400_000;

test('a certificate is asked for, kept, and renewed before it runs out', async t => {
  const server = await createServer(1);
  const { clock, random, client } = server;
  const directory = await mkdtemp('/tmp/tn-cert-');
  const stop = new AbortController();
  t.after(async () => {
    stop.abort(new Error('the test is over'));
    await clock.settle();
    await server.close();
    await rm(directory, { recursive: true });
  });
  const start = clock.now();
  const authority = createAuthority({ commonName: 'ca', notBefore: start - day, notAfter: start + 3650 * day });
  const requests = client.resource('certificates.k8s.io/v1/certificatesigningrequests');
  const seen: CertificateSigningRequest[] = [];
  async function sign(csr: CertificateSigningRequest): Promise<void> {
    seen.push(csr);
    const pem = Buffer.from(csr.spec.request, 'base64').toString();
    const policy = { usages: csr.spec.usages ?? [], notBefore: clock.now(), notAfter: clock.now() + 10 * day };
    const condition = { type: 'Approved', status: 'True', reason: 'Test', message: '' };
    const name = csr.metadata.name ?? '';
    await requests.updateSubresource(name, 'approval', { ...csr, status: { conditions: [condition] } });
    const certificate = Buffer.from(signCertificateRequest(authority, pem, policy)).toString('base64');
    await requests.patch(name, 'merge', { status: { certificate } }, { subresource: 'status' });
  }
  const known = new Set<string>();
  await server.follow('certificates.k8s.io/v1/certificatesigningrequests', cache => {
    for (const csr of cache.list()) {
      const name = csr.metadata.name ?? '';
      if (known.has(name)) continue;
      known.add(name);
      void sign(csr);
    }
  });
  const renewed: string[] = [];
  const make = (addresses = ['192.0.2.1', '2001:DB8:0::1']) =>
    createNodeCertificate({
      name: 'kubelet-server',
      directory,
      kind: 'serving',
      nodeName: 'n1',
      dnsNames: ['n1'],
      addresses,
      client: () => client,
      clock,
      random,
      log: silentLogger,
      onRenewed: c => renewed.push(c.certificate),
    });
  const certificate = make();
  let got: { certificate: string } | undefined;
  void certificate.ensure(stop.signal).then(c => {
    got = c;
  });
  /** Files are read outside of virtual time: give them their turns. */
  const until = async (done: () => boolean) => {
    const deadline = systemClock.monotonic() + 60_000;
    while (!done() && systemClock.monotonic() < deadline) {
      await new Promise(resolve => setImmediate(resolve));
      await clock.advance(1000);
    }
    assert.ok(done(), 'did not happen');
  };
  await until(() => got !== undefined);
  const info = parseCertificate(got?.certificate ?? '');
  assert.deepEqual([info.commonName, info.organizations], ['system:node:n1', ['system:nodes']]);
  assert.equal(seen[0]?.spec.signerName, 'kubernetes.io/kubelet-serving');
  assert.deepEqual(seen[0]?.spec.usages, ['digital signature', 'server auth']);
  assert.match(await readFile(`${directory}/kubelet-server-current.pem`, 'utf8'), /CERTIFICATE[\s\S]*PRIVATE KEY/);

  const again = make();
  let loaded: { certificate: string } | undefined;
  void again.ensure(stop.signal).then(c => {
    loaded = c;
  });
  await until(() => loaded !== undefined);
  assert.equal(loaded?.certificate, got?.certificate);
  assert.equal(seen.length, 1);

  void again.keep(stop.signal);
  await clock.advance(6 * day);
  assert.equal(seen.length, 1);
  await clock.advance(3.5 * day);
  await until(() => renewed.length === 2);

  let moved: { certificate: string } | undefined;
  void make(['192.0.2.9'])
    .ensure(stop.signal)
    .then(c => {
      moved = c;
    });
  await until(() => moved !== undefined);
  assert.deepEqual(parseCertificate(moved?.certificate ?? '').addresses, ['192.0.2.9'], 'another address: another one');
});
