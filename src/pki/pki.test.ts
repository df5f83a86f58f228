import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { connect, createServer } from 'node:tls';
import fc from 'fast-check';
import { virtualClock } from '../base/virtual-clock.ts';
import { DerError, fromPem } from '../base/x509/der.ts';
import {
  createAuthority,
  createCertificateRequest,
  ensureClusterPki,
  issueCertificate,
  issueNodeCredentials,
  kubeconfig,
  newKey,
  parseCertificate,
  parseCertificateRequest,
  signCertificateRequest,
  verifyCertificateRequest,
} from './index.ts';

const day = 86_400_000;
const directories: string[] = [];
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'pki-'));
  directories.push(path);
  return path;
}
after(() => {
  for (const path of directories) rmSync(path, { recursive: true });
});

const now = Date.UTC(2026, 0, 1);
const lifetime = { notBefore: now, notAfter: now + 10 * day };
const ca = createAuthority({ commonName: 'test ca', ...lifetime });

describe('certificates', () => {
  it('are what OpenSSL reads', () => {
    const { certificate, key } = issueCertificate(ca, {
      commonName: 'jane',
      organizations: ['ops', 'dev'],
      usages: ['digital signature', 'client auth', 'server auth'],
      dnsNames: ['a.example', '*.b.example'],
      addresses: ['10.0.0.1', 'fd00::1'],
      uris: ['spiffe://x/y'],
      ...lifetime,
    });
    const read = new X509Certificate(certificate);
    const authority = new X509Certificate(ca.certificate);
    assert.equal(read.subject, 'O=dev + O=ops\nCN=jane');
    assert.equal(read.issuer, 'CN=test ca');
    assert.ok(read.verify(authority.publicKey) && read.checkIssued(authority) && authority.ca && !read.ca);
    assert.ok(read.checkPrivateKey(createPrivateKey(key)));
    assert.equal(read.checkIP('fd00::1'), 'fd00::1');
    assert.equal(read.checkHost('x.b.example'), '*.b.example');
    assert.deepEqual(read.keyUsage, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
    assert.equal(read.validToDate.getTime(), lifetime.notAfter);
  });

  it('round-trip through our own reader', () => {
    const names = fc.array(fc.stringMatching(/^[a-z]{1,20}(\.[a-z]{1,9}){0,2}$/), { maxLength: 5 });
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
        names,
        names,
        (commonName, organizations, dnsNames) => {
          const spec = { commonName, organizations, dnsNames, addresses: ['192.0.2.7', '2001:db8::5'], ...lifetime };
          const info = parseCertificate(
            issueCertificate(ca, { ...spec, usages: ['client auth', 'cert sign'] }).certificate,
          );
          assert.equal(info.commonName, commonName);
          assert.deepEqual([...info.organizations].sort(), [...organizations].sort());
          assert.deepEqual(info.dnsNames, dnsNames);
          assert.deepEqual(info.addresses, spec.addresses);
          assert.deepEqual(info.usages, ['cert sign', 'client auth']);
          assert.deepEqual([info.notBefore, info.notAfter, info.isCa], [lifetime.notBefore, lifetime.notAfter, false]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('never outlive their authority', () => {
    const { certificate } = issueCertificate(ca, {
      commonName: 'x',
      usages: [],
      notBefore: now,
      notAfter: now + 99 * day,
    });
    assert.equal(parseCertificate(certificate).notAfter, lifetime.notAfter);
  });
});

describe('certificate requests', () => {
  const policy = { usages: ['digital signature', 'client auth'], ...lifetime };

  it('are signed with their subject and names and the policy of the signer', () => {
    const request = createCertificateRequest(
      { commonName: 'system:node:n1', organizations: ['system:nodes'], dnsNames: ['n1'], addresses: ['10.0.0.9'] },
      newKey(),
    );
    const info = parseCertificate(signCertificateRequest(ca, request, policy));
    assert.equal(info.commonName, 'system:node:n1');
    assert.deepEqual(info.organizations, ['system:nodes']);
    assert.deepEqual([info.dnsNames, info.addresses], [['n1'], ['10.0.0.9']]);
    assert.deepEqual(info.usages, policy.usages);
    assert.deepEqual(info.publicKey, parseCertificateRequest(request).publicKey);
  });

  it('may carry RSA and Ed25519 keys', () => {
    for (const { privateKey } of [
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
      generateKeyPairSync('ed25519'),
    ]) {
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const request = createCertificateRequest({ commonName: 'x' }, key);
      assert.equal(verifyCertificateRequest(request).commonName, 'x');
      assert.ok(new X509Certificate(signCertificateRequest(ca, request, policy)).checkPrivateKey(privateKey));
    }
  });

  it('are refused when the signature does not fit', () => {
    const request = createCertificateRequest({ commonName: 'eve' }, newKey());
    const bytes = fromPem(request)[0]?.bytes ?? new Uint8Array();
    const at = Buffer.from(bytes).indexOf('eve');
    bytes[at] = 'E'.charCodeAt(0);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    assert.equal(parseCertificateRequest(forged).commonName, 'Eve');
    assert.throws(() => signCertificateRequest(ca, forged, policy), DerError);
  });

  it('that are garbage throw DerError and nothing else', () => {
    const good =
      fromPem(createCertificateRequest({ commonName: 'x', dnsNames: ['y'] }, newKey()))[0]?.bytes ?? new Uint8Array();
    const mutation = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(mutation, fc.nat(good.length), (changes, length) => {
        const bytes = Uint8Array.from(good).subarray(0, length < 10 ? good.length : length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          parseCertificateRequest(bytes);
        } catch (e) {
          assert.ok(e instanceof DerError, String(e));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('ensureClusterPki', () => {
  const options = () => ({ names: ['api.example'], addresses: ['10.96.0.1'], clock: virtualClock(now) });

  it('makes every file once, with keys nobody else can read', () => {
    const path = directory();
    const first = ensureClusterPki(path, options());
    assert.deepEqual(readdirSync(path).sort(), [...first.written].sort());
    for (const name of readdirSync(path))
      assert.equal(statSync(join(path, name)).mode & 0o777, name.endsWith('.key') ? 0o600 : 0o644, name);
    const second = ensureClusterPki(path, options());
    assert.deepEqual(second, { ...first, written: [] });
  });

  it('renews what expires soon, under the same keys', () => {
    const path = directory();
    const clock = virtualClock(now);
    const before = ensureClusterPki(path, { clock });
    const later = ensureClusterPki(path, { clock: virtualClock(now + 300 * day) });
    assert.ok(later.written.includes('apiserver.crt') && !later.written.includes('ca.crt'));
    assert.equal(later.apiserver.key, before.apiserver.key);
    const muchLater = ensureClusterPki(path, { clock: virtualClock(now + 3600 * day) });
    assert.ok(muchLater.written.includes('ca.crt'));
    assert.ok(
      new X509Certificate(before.apiserver.certificate).verify(new X509Certificate(muchLater.ca.certificate).publicKey),
    );
  });

  it('issues anew when a name is missing or the authority changed', () => {
    const path = directory();
    ensureClusterPki(path, options());
    const named = ensureClusterPki(path, { ...options(), names: ['other.example'] });
    assert.deepEqual(named.written, ['apiserver.crt']);
    assert.ok(parseCertificate(named.apiserver.certificate).dnsNames.includes('other.example'));
    unlinkSync(join(path, 'ca.crt'));
    unlinkSync(join(path, 'ca.key'));
    const moved = ensureClusterPki(path, { ...options(), names: ['other.example'] });
    assert.ok(moved.written.includes('admin.crt') && !moved.written.includes('front-proxy-client.crt'));
  });

  it('names the file that is unusable', () => {
    const path = directory();
    ensureClusterPki(path, options());
    writeFileSync(join(path, 'admin.crt'), 'nonsense');
    assert.throws(() => ensureClusterPki(path, options()), /admin\.crt: /);
    unlinkSync(join(path, 'admin.crt'));
    unlinkSync(join(path, 'ca.key'));
    assert.throws(() => ensureClusterPki(path, options()), /ca\.key: missing/);
  });

  it('tightens the mode of a key that others can read', () => {
    const path = directory();
    const made = ensureClusterPki(path, options());
    chmodSync(join(path, 'sa.key'), 0o644);
    assert.equal(ensureClusterPki(path, options()).serviceAccount.key, made.serviceAccount.key);
    assert.equal(statSync(join(path, 'sa.key')).mode & 0o777, 0o600);
    assert.equal(readFileSync(join(path, 'sa.pub'), 'utf8'), made.serviceAccount.publicKey);
  });

  it('gives credentials that TLS accepts on both sides', async () => {
    const clock = virtualClock(Date.now());
    const pki = ensureClusterPki(directory(), { clock });
    const node = issueNodeCredentials(pki.ca, { name: 'n1', addresses: ['127.0.0.1'] }, clock);
    const server = createServer({
      cert: node.serving.certificate,
      key: node.serving.key,
      ca: pki.ca.certificate,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const peer = new Promise<string | undefined>(resolve =>
      server.on('secureConnection', socket => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.end();
      }),
    );
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const { certificate: cert, key } = pki.clients['apiserver-kubelet-client'];
      const socket = connect({ host: '127.0.0.1', port, cert, key, ca: pki.ca.certificate, servername: '' });
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
      assert.equal(await peer, 'kube-apiserver-kubelet-client');
      socket.destroy();
    } finally {
      server.close();
    }
  });
});

describe('kubeconfig', () => {
  it('quotes what it is given', async () => {
    const { load } = await import('js-yaml');
    const text = kubeconfig({
      server: 'https://[::1]:6443',
      authority: ca.certificate,
      user: 'a: "b"',
      credentials: { token: '# t' },
      namespace: 'x',
    });
    const parsed = load(text) as { 'current-context': string; users: { user: { token: string } }[] };
    assert.equal(parsed['current-context'], 'a: "b"@tsukube');
    assert.equal(parsed.users[0]?.user.token, '# t');
  });
});
