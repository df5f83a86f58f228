/** Default roles inside kube-system and kube-public (bootstrappolicy/namespace_policy.go of v1.35). */
import type { Role, RoleBinding } from '../../../../api/types/rbac-v1.ts';
import { account, binding, eventsRule, role, rule, user } from './build.ts';

const system = 'kube-system';
const controllerManager = user('system:kube-controller-manager');
const scheduler = user('system:kube-scheduler');

/** Leases, and who would like to hold them. */
const leaderLocking = rule('get watch list create update', 'coordination.k8s.io', 'leases leasecandidates');

export const namespacedRoles = (): Role[] => [
  role(system, 'extension-apiserver-authentication-reader', [
    rule('read', 'core', 'configmaps', 'extension-apiserver-authentication'),
  ]),
  role(system, 'system:controller:bootstrap-signer', [rule('read', 'core', 'secrets')]),
  role(system, 'system:controller:cloud-provider', [rule('create get list watch', 'core', 'configmaps')]),
  role(system, 'system:controller:token-cleaner', [rule('get list watch delete', 'core', 'secrets'), eventsRule]),
  role(system, 'system::leader-locking-kube-controller-manager', [leaderLocking]),
  role(system, 'system::leader-locking-kube-scheduler', [leaderLocking]),
  role('kube-public', 'system:controller:bootstrap-signer', [
    rule('read', 'core', 'configmaps'),
    rule('update', 'core', 'configmaps', 'cluster-info'),
    eventsRule,
  ]),
];

export const namespacedRoleBindings = (): RoleBinding[] => [
  binding(
    system,
    'extension-apiserver-authentication-reader',
    [controllerManager, scheduler],
    'system::extension-apiserver-authentication-reader',
  ),
  binding(system, 'system::leader-locking-kube-controller-manager', [
    controllerManager,
    account(system, 'kube-controller-manager'),
    account(system, 'leader-election-controller'),
  ]),
  binding(system, 'system::leader-locking-kube-scheduler', [scheduler, account(system, 'kube-scheduler')]),
  binding(system, 'system:controller:bootstrap-signer', [account(system, 'bootstrap-signer')]),
  binding(system, 'system:controller:cloud-provider', [account(system, 'cloud-provider')]),
  binding(system, 'system:controller:token-cleaner', [account(system, 'token-cleaner')]),
  binding('kube-public', 'system:controller:bootstrap-signer', [account(system, 'bootstrap-signer')]),
];
