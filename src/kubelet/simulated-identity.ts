/**
 * Who a fleet of simulated nodes is: one user for all of them, since they share their watches. It is in the group of nodes, and so has their
 * priority, but no node of its own: what kubelets may do of every node is bound to it.
 */
import type { UserInfo } from '../api/transport.ts';
import type { ClusterRoleBinding } from '../api/types/rbac-v1.ts';

const name = 'tsukube:simulated-nodes';
const apiGroup = 'rbac.authorization.k8s.io';

export const simulatedNodesUser: UserInfo = { name, groups: ['system:nodes', 'system:authenticated'] };

/** To be there before the nodes start. */
export const simulatedNodesBinding: ClusterRoleBinding = {
  apiVersion: `${apiGroup}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'tsukube' } },
  roleRef: { apiGroup, kind: 'ClusterRole', name: 'system:node' },
  subjects: [{ apiGroup, kind: 'User', name }],
};
