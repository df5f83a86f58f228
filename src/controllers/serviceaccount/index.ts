import type { Namespace } from '../../api/types/core-v1.ts';
import { isAlreadyExists, isNotFound } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { isNamespaceTerminating } from '../support/pod-control.ts';

const isActive = (ns: Namespace | undefined): boolean =>
  ns !== undefined && !ns.metadata.deletionTimestamp && ns.status?.phase !== 'Terminating';

function quiet(e: unknown): void {
  if (!isAlreadyExists(e) && !isNotFound(e) && !isNamespaceTerminating(e)) throw e;
}

/** Keys are namespaces: a change of the named object in one asks for it. */
function named(name: string) {
  return (obj: { metadata: { name: string; namespace?: string } }): string[] =>
    obj.metadata.name === name ? [obj.metadata.namespace ?? ''] : [];
}

/** pkg/controller/serviceaccount: every namespace has a service account "default". */
export const serviceAccountController: Controller = {
  name: 'serviceaccount-controller',
  account: 'service-account-controller',
  component: 'service-account-controller',
  aliases: ['serviceaccount'],
  setUp({ informers, client }) {
    const namespaces: Informer<Namespace> = informers.informer('v1/namespaces');
    const accounts = informers.informer('v1/serviceaccounts');
    return {
      sources: [
        watch<'v1/namespaces'>(namespaces, ns => [ns.metadata.name]),
        watch<'v1/serviceaccounts'>(accounts, (sa, _old, event) => (event === 'delete' ? named('default')(sa) : [])),
      ],
      async reconcile(namespace) {
        if (!isActive(namespaces.store.get(namespace)) || accounts.store.get(`${namespace}/default`)) return;
        await client
          .serviceaccounts(namespace)
          .create({ metadata: { name: 'default', namespace } })
          .catch(quiet);
      },
    };
  },
};

const configMapName = 'kube-root-ca.crt';
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** pkg/controller/certificates/rootcacertpublisher: every namespace has the cluster's CA in a config map. `ca` is PEM. */
export function rootCaPublisher(ca: string): Controller {
  return {
    name: 'root-ca-certificate-publisher-controller',
    account: 'root-ca-cert-publisher',
    aliases: ['root-ca-cert-publisher'],
    setUp({ informers, client }) {
      const namespaces: Informer<Namespace> = informers.informer('v1/namespaces');
      const maps = informers.informer('v1/configmaps', { fieldSelector: `metadata.name=${configMapName}` });
      const annotations = { 'kubernetes.io/description': description };
      const data = { 'ca.crt': ca };
      return {
        sources: [
          watch<'v1/namespaces'>(namespaces, ns => [ns.metadata.name]),
          watch<'v1/configmaps'>(maps, named(configMapName)),
        ],
        async reconcile(namespace) {
          if (!isActive(namespaces.store.get(namespace))) return;
          const current = maps.store.get(`${namespace}/${configMapName}`);
          const target = client.configmaps(namespace);
          if (!current) {
            const metadata = { name: configMapName, namespace, annotations };
            await target.create({ metadata, data }).catch(quiet);
          } else if (current.data?.['ca.crt'] !== ca || Object.keys(current.data).length !== 1) {
            const metadata = { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } };
            await target.update({ ...current, metadata, data });
          }
        },
      };
    },
  };
}
