/**
 * The kubelet's certificates through the certificates API: asked for with a CSR, kept on disk, renewed before they run out.
 * Upstream: client-go/util/certificate, pkg/kubelet/certificate.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import type { CertificateSigningRequest } from '../../api/types/certificates-v1.ts';
import { formatIp, parseIp } from '../../api/validation/ip.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { isNotFound, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Client } from '../../client/contract.ts';
import { createCertificateRequest, newKey, parseCertificate } from '../../pki/index.ts';

export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}
export interface CertificateOptions {
  /** File name without ending: `kubelet-client`, `kubelet-server`. */
  name: string;
  directory: string;
  kind: 'client' | 'serving';
  nodeName: string;
  /** For serving certificates. */
  dnsNames?: readonly string[];
  addresses?: readonly string[];
  /** A client whose identity may create the request: the bootstrap token's at first, later the node's own. */
  client(): Client;
  clock: Clock;
  random: Random;
  log: Logger;
  /** A new certificate is in use. */
  onRenewed?(credentials: Credentials): void;
}
export interface NodeCertificate {
  /** The certificate on disk when it is good and for the present names, else a new one: waits until the request is approved and signed. */
  ensure(signal: AbortSignal): Promise<Credentials>;
  /** Renews at 70 to 90 % of each certificate's life, until the signal is aborted. */
  keep(signal: AbortSignal): Promise<void>;
  readonly current: Credentials | undefined;
}

/** Upstream waits 15 minutes for an approval before it asks anew. */
const approvalMs = 900_000;
const pollMs = 1000;
const retryMs = 10_000;

const signers = {
  client: { signerName: 'kubernetes.io/kube-apiserver-client-kubelet', usage: 'client auth' },
  serving: { signerName: 'kubernetes.io/kubelet-serving', usage: 'server auth' },
} as const;

export function createNodeCertificate(options: CertificateOptions): NodeCertificate {
  const { clock, random, log, nodeName, directory, name } = options;
  const { signerName, usage } = signers[options.kind];
  const path = `${directory}/${name}-current.pem`;
  const isServing = options.kind === 'serving';
  const names = {
    dnsNames: isServing ? (options.dnsNames ?? []) : [],
    addresses: (isServing ? (options.addresses ?? []) : []).map(address => {
      const parsed = parseIp(address);
      return parsed ? formatIp(parsed) : address;
    }),
  };
  let current: Credentials | undefined;

  async function load(): Promise<Credentials | undefined> {
    const text = await readFile(path, 'utf8').catch(() => '');
    const [certificate] = /-----BEGIN CERTIFICATE-----[\s\S]*-----END CERTIFICATE-----\n?/.exec(text) ?? [];
    const [key] = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n?/.exec(text) ?? [];
    if (!certificate || !key) return undefined;
    const { notAfter, dnsNames, addresses } = parseCertificate(certificate);
    const named =
      names.dnsNames.every(each => dnsNames.includes(each)) && names.addresses.every(each => addresses.includes(each));
    return notAfter > clock.now() && named ? { certificate, key } : undefined;
  }
  async function save({ certificate, key }: Credentials): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, certificate + key, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async function request(signal: AbortSignal): Promise<Credentials> {
    const key = newKey();
    const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] };
    const pem = createCertificateRequest({ ...subject, ...names }, key);
    const requests = options.client().resource('certificates.k8s.io/v1/certificatesigningrequests');
    const made = await requests.create({
      metadata: { generateName: 'csr-' },
      spec: { request: Buffer.from(pem).toString('base64'), signerName, usages: ['digital signature', usage] },
    });
    const deadline = clock.monotonic() + approvalMs;
    while (clock.monotonic() < deadline) {
      const seen = await requests.get(made.metadata.name ?? '').catch((e: unknown) => {
        if (isNotFound(e)) throw new Error(`certificate signing request ${made.metadata.name} was deleted`);
        return undefined;
      });
      const certificate = seen && outcome(seen);
      if (certificate) return { certificate, key };
      await sleep(clock, pollMs, signal);
    }
    throw new Error(`certificate signing request ${made.metadata.name} was not signed in time`);
  }

  async function renew(signal: AbortSignal): Promise<Credentials> {
    for (;;) {
      try {
        const made = await request(signal);
        await save(made);
        current = made;
        options.onRenewed?.(made);
        return made;
      } catch (e) {
        if (signal.aborted) throw e;
        log.warn('no certificate yet', { name, error: messageOf(e) });
        await sleep(clock, retryMs, signal);
      }
    }
  }

  return {
    get current() {
      return current;
    },
    async ensure(signal) {
      current ??= await load();
      return current ?? renew(signal);
    },
    async keep(signal) {
      while (!signal.aborted) {
        const { certificate } = current ?? (await renew(signal));
        const { notBefore, notAfter } = parseCertificate(certificate);
        const due = notBefore + (notAfter - notBefore) * (0.7 + random.next() * 0.2);
        await sleep(clock, Math.min(Math.max(due - clock.now(), 0), 2 ** 31 - 1), signal).catch(() => undefined);
        if (!signal.aborted && clock.now() >= due) await renew(signal).catch(() => undefined);
      }
    },
  };
}

/** The signed chain, undefined while it is pending; throws when it was denied or failed. */
function outcome({ metadata, status }: CertificateSigningRequest): string | undefined {
  const bad = status?.conditions?.find(c => (c.type === 'Denied' || c.type === 'Failed') && c.status !== 'False');
  if (bad)
    throw new Error(`certificate signing request ${metadata.name} is ${bad.type.toLowerCase()}: ${bad.message ?? ''}`);
  return status?.certificate ? Buffer.from(status.certificate, 'base64').toString() : undefined;
}
