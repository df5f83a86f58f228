/** Fills cluster roles with the rules of those that they select (pkg/controller/clusterroleaggregation of v1.35). */
import type { ClusterRole, PolicyRule } from '../../api/types/rbac-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { canonicalJson } from '../support/hash.ts';
import { selectorFor } from '../support/ownership.ts';

/** In order of the roles' names; each rule once. */
export function aggregated(role: ClusterRole, all: readonly ClusterRole[]): PolicyRule[] {
  const selectors = (role.aggregationRule?.clusterRoleSelectors ?? []).map(selectorFor);
  const rules = new Map<string, PolicyRule>();
  for (const selector of selectors) {
    const chosen = all
      .filter(other => other.metadata.name !== role.metadata.name && selector.matches(other.metadata.labels))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    for (const rule of chosen.flatMap(other => other.rules ?? [])) {
      const key = canonicalJson(rule);
      if (!rules.has(key)) rules.set(key, rule);
    }
  }
  return [...rules.values()];
}

export const clusterRoleAggregationController: Controller = {
  name: 'clusterrole-aggregation-controller',
  aliases: ['clusterrole-aggregation'],
  setUp({ informers, client }) {
    const roles = informers.informer('rbac.authorization.k8s.io/v1/clusterroles');
    roles.addIndex('aggregates', role => (role.aggregationRule ? ['yes'] : []));
    return {
      sources: [
        watch<'rbac.authorization.k8s.io/v1/clusterroles'>(roles, () =>
          roles.store.byIndex('aggregates', 'yes').map(role => role.metadata.name),
        ),
      ],
      async reconcile(name) {
        const role = roles.store.get(name);
        if (!role?.aggregationRule) return;
        const rules = aggregated(role, roles.store.list());
        if (!deepEqual(rules, role.rules ?? [])) await client.clusterroles().update({ ...role, rules });
      },
    };
  },
};
