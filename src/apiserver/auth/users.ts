/** Names and groups that upstream fixes (apiserver/pkg/authentication/user, serviceaccount). */
import type { UserInfo } from '../../api/transport.ts';

export const groups = {
  masters: 'system:masters',
  nodes: 'system:nodes',
  authenticated: 'system:authenticated',
  unauthenticated: 'system:unauthenticated',
  serviceAccounts: 'system:serviceaccounts',
  bootstrappers: 'system:bootstrappers',
} as const;
export const anonymousName = 'system:anonymous';
const serviceAccountPrefix = 'system:serviceaccount:';
const nodePrefix = 'system:node:';

export const extraKeys = {
  credentialId: 'authentication.kubernetes.io/credential-id',
  podName: 'authentication.kubernetes.io/pod-name',
  podUid: 'authentication.kubernetes.io/pod-uid',
  nodeName: 'authentication.kubernetes.io/node-name',
  nodeUid: 'authentication.kubernetes.io/node-uid',
} as const;

export function serviceAccountName(namespace: string, name: string): string {
  return `${serviceAccountPrefix}${namespace}:${name}`;
}
export function serviceAccountGroups(namespace: string): string[] {
  return [groups.serviceAccounts, `${groups.serviceAccounts}:${namespace}`];
}
/** Undefined for a name that is no service account's. */
export function splitServiceAccountName(name: string): { namespace: string; name: string } | undefined {
  if (!name.startsWith(serviceAccountPrefix)) return undefined;
  const [namespace, account, ...rest] = name.slice(serviceAccountPrefix.length).split(':');
  return namespace && account && rest.length === 0 ? { namespace, name: account } : undefined;
}

/** The node's name, when the user is a kubelet (a member of system:nodes named system:node:…). */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(nodePrefix) || !user.groups.includes(groups.nodes)) return undefined;
  return user.name.slice(nodePrefix.length) || undefined;
}
export const nodeUserName = (node: string): string => `${nodePrefix}${node}`;

/** Adds system:authenticated, as every authenticator but the anonymous one does. */
export function authenticated(user: UserInfo): UserInfo {
  if (user.groups.includes(groups.authenticated) || user.groups.includes(groups.unauthenticated)) return user;
  return { ...user, groups: [...user.groups, groups.authenticated] };
}

/** As the authentication API writes a user. */
export function toUserInfo(user: UserInfo): {
  username: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
} {
  return {
    username: user.name,
    ...(user.uid && { uid: user.uid }),
    ...(user.groups.length > 0 && { groups: [...user.groups] }),
    ...(user.extra &&
      Object.keys(user.extra).length > 0 && {
        extra: Object.fromEntries(Object.entries(user.extra).map(([k, v]) => [k, [...v]])),
      }),
  };
}
