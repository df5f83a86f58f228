/** A real HTTPS port in front of a cluster in this process, for kubectl and other clients. Needs Node.js; loaded when asked for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Handler } from '../api/transport.ts';
import { listen } from '../apiserver/http/server.ts';
import { systemClock } from '../base/clock.ts';
import { ensureClusterPki, kubeconfig } from '../pki/index.ts';

export interface HttpsAccess {
  readonly url: string;
  /** The text of a kubeconfig for system:masters. */
  readonly kubeconfig: string;
  close(): Promise<void>;
}

/** Listens on loopback; port 0 takes any free one. The certificates live as long as the port. */
export async function serveHttps(handle: Handler, port = 0): Promise<HttpsAccess> {
  const directory = mkdtempSync(join(tmpdir(), 'tsukube-'));
  try {
    // Real clients compare certificates with their own clocks, whatever time it is in the cluster.
    const pki = ensureClusterPki(directory, { clock: systemClock });
    const { certificate: cert, key } = pki.apiserver;
    const server = await listen({ handle, tls: { cert, key, clientCa: pki.ca.certificate }, host: '127.0.0.1', port });
    const url = `https://127.0.0.1:${server.port}`;
    return {
      url,
      kubeconfig: kubeconfig({
        server: url,
        authority: pki.ca.certificate,
        user: 'admin',
        credentials: pki.clients.admin,
      }),
      close: () => server.close(),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
