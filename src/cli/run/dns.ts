/** What DNS needs besides itself: whose address is asking, and pages for monitoring. */
import type { InformerFactory } from '../../client/contract.ts';
import type { Environment } from '../../controller/contract.ts';
import { type PageServer, parseBindAddress, servePages } from './pages.ts';

/** Namespaces of pods by their addresses, followed from now on; ask before the informers start. */
export function namespacesByAddress(
  informers: InformerFactory,
  options: { readonly fieldSelector?: string } = {},
): (address: string) => string | undefined {
  const pods = informers.informer('v1/pods', options);
  pods.addIndex('ip', pod => (pod.spec.hostNetwork ? [] : (pod.status?.podIPs ?? []).map(p => p.ip)));
  return address => pods.store.byIndex('ip', address)[0]?.metadata.namespace;
}

/** CoreDNS's paths, on one port: it is ready when it runs at all. */
export async function serveDnsPages({ metrics, log }: Environment, address: string): Promise<PageServer | undefined> {
  const at = parseBindAddress(address);
  const plain = (body: string) => () => ({ status: 200, type: 'text/plain; charset=utf-8', body });
  const pages = {
    '/metrics': () => ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: metrics.text() }),
    '/health': plain('OK'),
    '/ready': plain('OK'),
  };
  return at && servePages(pages, at, log);
}
