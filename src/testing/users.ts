/** Who speaks to the API server in a cluster of one process, where nobody has to prove it. */
import type { UserInfo } from '../api/transport.ts';
import { serviceAccountGroups, serviceAccountName } from '../apiserver/auth/users.ts';
import type { Controller } from '../controller/contract.ts';
import { allControllers } from '../controllers/all.ts';

export const authenticated = 'system:authenticated';

/** May do everything: the author of the test. */
export const masters: UserInfo = { name: 'kubernetes-admin', groups: ['system:masters', authenticated] };

export const componentUser = (name: 'kube-controller-manager' | 'kube-scheduler'): UserInfo => ({
  name: `system:${name}`,
  groups: [authenticated],
});

const controllerUser = (account: string): UserInfo => ({
  name: serviceAccountName('kube-system', account),
  groups: [...serviceAccountGroups('kube-system'), authenticated],
});

/** All controllers and who they act as: the built-in ones as their service accounts, `more` with all rights. */
export function managerParts(more: readonly Controller[] = []): {
  controllers: readonly Controller[];
  userOf(account: string): UserInfo;
} {
  const free = new Set(more.map(({ name, account }) => account ?? name));
  return {
    controllers: [...allControllers({ nodeIpam: { clusterCidrs: ['10.128.0.0/9'] } }), ...more],
    userOf: account => (free.has(account) ? masters : controllerUser(account)),
  };
}
