/** Objects that every cluster has. Idempotent, and safe while other servers do the same. */
import { isAlreadyExists } from '../base/errors.ts';
import type { Client } from '../client/contract.ts';

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export async function ensureSystemNamespaces(client: Client): Promise<void> {
  const namespaces = client.resource('v1/namespaces');
  const present = new Set((await namespaces.list()).items.map(ns => ns.metadata.name));
  for (const name of systemNamespaces) {
    if (present.has(name)) continue;
    await namespaces.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} }).catch(e => {
      if (!isAlreadyExists(e)) throw e;
    });
  }
}
