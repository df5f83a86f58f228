import { keyOf } from '../../api/object.ts';
import type { Secret, ServiceAccount } from '../../api/types/core-v1.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Controller, ControllerContext } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';

const secretType = 'kubernetes.io/service-account-token';
const nameAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';

export interface TokenControllerOptions {
  /** PEM of the cluster's CA, put beside the token. */
  readonly ca: string;
  /** A token without an end that is bound to the secret (the form from before TokenRequest). */
  sign(account: ServiceAccount, secret: Secret): Promise<string>;
}

/** pkg/controller/serviceaccount/tokens_controller: fills token secrets that users make, and removes those whose account is gone. */
export function tokenController(options: TokenControllerOptions): Controller {
  return {
    name: 'serviceaccount-token-controller',
    aliases: ['serviceaccount-token'],
    account: null,
    setUp(context) {
      const secrets = context.informers.informer('v1/secrets', { fieldSelector: `type=${secretType}` });
      const accounts = context.informers.informer('v1/serviceaccounts');
      secrets.addIndex('account', s => [`${s.metadata.namespace}/${s.metadata.annotations?.[nameAnnotation]}`]);
      return {
        sources: [
          watch<'v1/secrets'>(secrets, (s, _old, event) => (event === 'delete' ? [] : [keyOf(s)])),
          watch<'v1/serviceaccounts'>(accounts, sa => secrets.store.byIndex('account', keyOf(sa)).map(keyOf)),
        ],
        async reconcile(key) {
          const secret = secrets.store.get(key);
          if (!secret || secret.type !== secretType || secret.metadata.deletionTimestamp) return;
          const account = accounts.store.get(
            `${secret.metadata.namespace}/${secret.metadata.annotations?.[nameAnnotation]}`,
          );
          await (belongs(secret, account) ? fill(context, options, secret, account) : removeStray(context, secret));
        },
      };
    },
  };
}

function belongs(secret: Secret, account: ServiceAccount | undefined): account is ServiceAccount {
  const uid = secret.metadata.annotations?.[uidAnnotation];
  return account !== undefined && !account.metadata.deletionTimestamp && (!uid || uid === account.metadata.uid);
}

async function fill(
  { client }: ControllerContext,
  { ca, sign }: TokenControllerOptions,
  secret: Secret,
  account: ServiceAccount,
) {
  const { uid = '' } = account.metadata;
  const { namespace = '' } = secret.metadata;
  const data: Record<string, string> = {};
  if (secret.data?.['ca.crt'] !== encode(ca)) data['ca.crt'] = encode(ca);
  if (secret.data?.['namespace'] !== encode(namespace)) data['namespace'] = encode(namespace);
  if (!secret.data?.['token']) data['token'] = encode(await sign(account, secret));
  const annotated = secret.metadata.annotations?.[uidAnnotation] === uid;
  if (annotated && Object.keys(data).length === 0) return;
  const annotations = { ...secret.metadata.annotations, [uidAnnotation]: uid };
  const metadata = { ...secret.metadata, annotations };
  await client.secrets(namespace).update({ ...secret, metadata, data: { ...secret.data, ...data } });
}

/** The cache may be behind: the account's absence is asked of the server before anything is removed. */
async function removeStray({ client }: ControllerContext, secret: Secret): Promise<void> {
  const { namespace, name, annotations = {}, uid } = secret.metadata;
  const account = await client
    .serviceaccounts(namespace)
    .get(annotations[nameAnnotation] || '-')
    .catch(e => {
      if (isNotFound(e)) return undefined;
      throw e;
    });
  if (belongs(secret, account)) return;
  await client
    .secrets(namespace)
    .delete(name, uid ? { preconditions: { uid } } : {})
    .catch(e => {
      if (!isNotFound(e)) throw e;
    });
}

function encode(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
