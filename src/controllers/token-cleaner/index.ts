/** Deletes bootstrap tokens that have expired (pkg/controller/bootstrap/tokencleaner.go of v1.35). */
import { keyOf, splitKey } from '../../api/object.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { tokenExpiry, tokenSecretType } from '../support/bootstrap-tokens.ts';

export const tokenCleaner: Controller = {
  name: 'token-cleaner-controller',
  account: 'token-cleaner',
  aliases: ['tokencleaner'],
  disabledByDefault: true,
  setUp({ informers, client, clock }) {
    const secrets = informers.informer('v1/secrets', {
      namespace: 'kube-system',
      fieldSelector: `type=${tokenSecretType}`,
    });
    return {
      sources: [watch<'v1/secrets'>(secrets, (secret, _old, kind) => (kind === 'delete' ? [] : [keyOf(secret)]))],
      async reconcile(key) {
        const secret = secrets.store.get(key);
        const at = secret && tokenExpiry(secret);
        if (!secret || at === undefined) return;
        const left = at - clock.now();
        if (left > 0) return { requeueAfter: left };
        const { namespace, name } = splitKey(key);
        const { uid } = secret.metadata;
        await client
          .secrets(namespace)
          .delete(name, uid ? { preconditions: { uid } } : {})
          .catch(e => {
            if (!isNotFound(e)) throw e;
          });
        return;
      },
    };
  },
};
