import type { Namespace } from '../../api/types/core-v1.ts';
import { type Awaitable, after } from '../../base/awaitable.ts';
import { ApiError, errors } from '../../base/errors.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { forbid, isFor, lookUp, on } from './helpers.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);
/** After a namespace was deleted, the cache is not believed for this long. */
const distrustMs = 30_000;

function terminating(request: AdmissionRequest): ApiError {
  const { namespace } = request;
  const { status } = forbid(
    request,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  return new ApiError(status.code, status.reason, status.message, { ...status.details, causes: [cause] });
}

/** Nothing is created in a namespace that is missing or going; some namespaces stay for ever. */
export const namespaceLifecycle: AdmissionPluginFactory = {
  name: 'NamespaceLifecycle',
  create({ client, informers, clock }) {
    const informer = informers.informer('v1/namespaces');
    const namespaces = client.resource('v1/namespaces');
    const distrusted = new Map<string, number>();

    function find(name: string): Awaitable<Namespace | undefined> {
      const until = distrusted.get(name);
      if (until === undefined) return lookUp(informer, namespaces, name);
      if (until < clock.monotonic()) distrusted.delete(name);
      const cached = informer.store.get(name);
      // Caches never turn back: once seen terminating, it is.
      return cached?.status?.phase === 'Terminating'
        ? cached
        : lookUp({ ...informer, store: emptyCache }, namespaces, name);
    }

    return {
      name: 'NamespaceLifecycle',
      handles: on('CREATE', 'UPDATE', 'DELETE'),
      admit(request) {
        const { operation, name, namespace } = request;
        if (request.resource.plural === 'namespaces' && request.resource.group === '') {
          if (operation !== 'DELETE') return;
          if (immortal.has(name)) throw forbid(request, 'this namespace may not be deleted');
          distrusted.set(name, clock.monotonic() + distrustMs);
          return;
        }
        if (!namespace || operation !== 'CREATE') return;
        // Saying whether the namespace exists would tell strangers something.
        if (isFor(request, 'authorization.k8s.io/localsubjectaccessreviews')) return;
        return after(find(namespace), found => {
          if (!found) throw errors.notFound({ group: '', resource: 'namespaces' }, namespace);
          if (found.status?.phase === 'Terminating') throw terminating(request);
        });
      },
    };
  },
};

const emptyCache = { get: () => undefined, list: () => [], byIndex: () => [], size: 0 };
