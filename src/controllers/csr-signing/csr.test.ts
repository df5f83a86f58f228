import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Faults, withFaults } from '../../../test/support/faults.ts';
import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { createAuthority, createCertificateRequest, newKey } from '../../pki/issue.ts';
import { createCluster } from '../../testing/index.ts';
import { removalTime } from '../csr-cleaner/index.ts';
import { csrSigningController } from './index.ts';
import { complaintOf, signers } from './recognize.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 0, 1);

test('when a request goes', () => {
  const csr = (status: CertificateSigningRequest['status']): CertificateSigningRequest => ({
    metadata: { name: 'r', creationTimestamp: rfc3339(start) },
    spec: { request: '', signerName: 'example.com/s' },
    ...(status && { status }),
  });
  const condition = (type: string, at: number) => ({ type, status: 'True', lastUpdateTime: rfc3339(start + at) });
  const cases: [string, CertificateSigningRequest['status'], number][] = [
    ['pending', {}, 24 * hour],
    ['denied', { conditions: [condition('Denied', hour)] }, 2 * hour],
    ['failed', { conditions: [condition('Failed', 2 * hour)] }, 3 * hour],
    ['approved and issued', { conditions: [condition('Approved', hour)], certificate: 'bm9uZQ==' }, 2 * hour],
    ['approved, not issued', { conditions: [condition('Approved', hour)] }, 25 * hour],
  ];
  for (const [name, status, after] of cases) assert.equal(removalTime(csr(status)), start + after, name);
});

const key = newKey();
const issued = createAuthority({ commonName: 'test', notBefore: start, notAfter: start + hour }, key).certificate;
const request = (commonName: string, more: object = {}, organizations = ['system:nodes']) =>
  createCertificateRequest({ commonName, organizations, ...more }, key);
const usages = ['digital signature', 'client auth'];

test('what a node may ask for', () => {
  const none = {
    commonName: 'system:node:n',
    organizations: ['system:nodes'],
    dnsNames: [],
    addresses: [],
    emails: [],
    uris: [],
  };
  const info = (more: object) => ({ ...none, ...more }) as unknown as Parameters<typeof complaintOf>[1];
  const cases: [string, object, string[], string | undefined][] = [
    [signers.kubeletClient, {}, usages, undefined],
    [signers.kubeletClient, {}, [...usages, 'key encipherment'], undefined],
    [signers.kubeletClient, { organizations: ['system:masters'] }, usages, 'subject organization is not system:nodes'],
    [signers.kubeletClient, { dnsNames: ['n'] }, usages, 'DNS subjectAltNames are not allowed'],
    [signers.kubeletClient, { commonName: 'admin' }, usages, 'subject common name does not begin with system:node:'],
    [signers.kubeletServing, {}, ['digital signature', 'server auth'], 'DNS or IP subjectAltName is required'],
    [signers.kubeletServing, { dnsNames: ['n'] }, ['digital signature', 'server auth'], undefined],
    [signers.apiserverClient, {}, ['server auth'], 'usages does not include client auth'],
  ];
  for (const [signer, more, asked, complaint] of cases) assert.equal(complaintOf(signer, info(more), asked), complaint);
});

for (let seed = 0; seed <= 4; seed++) {
  test(`a node’s request is approved, signed once and cleaned up; others are not, seed ${seed}`, async () => {
    const signed: string[] = [];
    const signing = csrSigningController({
      sign(_request, { notBefore, notAfter }) {
        signed.push(`${notAfter - notBefore}`);
        return issued;
      },
    });
    const clock = virtualClock(start);
    const faults: Faults = {};
    const cluster = await createCluster({
      clock,
      seed,
      nodes: 0,
      scheduler: false,
      controllers: ['approving', 'signing', 'cleaner'].map(name => `certificatesigningrequest-${name}-controller`),
      extraControllers: [signing],
      intercept: handler => withFaults(handler, faults, clock, seededRandom(seed)),
    });
    const { client } = cluster;
    const disturbed = async (ms: number) => {
      if (seed > 0)
        Object.assign(faults, { failBefore: 0.15, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
      await clock.advance(ms);
      Object.assign(faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0 });
      await clock.advance(120_000);
    };
    const node = cluster.as({ name: 'system:node:n', groups: ['system:masters', 'system:nodes'] });
    const ask = (name: string, pem: string, spec: Partial<CertificateSigningRequest['spec']> = {}) =>
      node.certificatesigningrequests().create({
        metadata: { name },
        spec: { request: btoa(pem), signerName: signers.kubeletClient, usages, expirationSeconds: 3600, ...spec },
      });
    await ask('own', request('system:node:n'));
    await ask('wrong', request('system:node:n', {}, ['system:masters']));
    await ask('foreign', request('anybody', {}, []), { signerName: 'example.com/other' });
    await disturbed(300_000);
    const status = async (name: string) => (await client.certificatesigningrequests().get(name)).status;
    assert.deepEqual(
      (await status('own'))?.conditions?.map(c => `${c.type} ${c.reason}`),
      ['Approved AutoApproved'],
    );
    assert.ok((await status('own'))?.certificate);
    assert.equal(new Set(signed).size, 1);
    assert.equal(Number(signed[0]), 3_600_000 + 300_000);
    for (const name of ['wrong', 'foreign']) assert.equal((await status(name))?.conditions, undefined, name);
    await disturbed(2 * hour);
    await assert.rejects(client.certificatesigningrequests().get('own'), /not found/);
    await disturbed(24 * hour);
    assert.deepEqual((await client.certificatesigningrequests().list()).items, []);
    await cluster.close();
  });
}
