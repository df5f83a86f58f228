/** The flow schemas and priority levels that a server brings along (k8s.io/apiserver pkg/apis/flowcontrol/bootstrap). */
import type {
  FlowSchema,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  ResourcePolicyRule,
  Subject,
} from '../../../api/types/flowcontrol-v1.ts';

const group = (name: string): Subject => ({ kind: 'Group', group: { name } });
const user = (name: string): Subject => ({ kind: 'User', user: { name } });
const account = (namespace: string, name: string): Subject => ({
  kind: 'ServiceAccount',
  serviceAccount: { namespace, name },
});

const everyResource: ResourcePolicyRule = {
  verbs: ['*'],
  apiGroups: ['*'],
  resources: ['*'],
  clusterScope: true,
  namespaces: ['*'],
};
const everything = (...subjects: Subject[]): PolicyRulesWithSubjects => ({
  subjects,
  resourceRules: [everyResource],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
});
const resources = (subjects: Subject[], ...rules: ResourcePolicyRule[]): PolicyRulesWithSubjects => ({
  subjects,
  resourceRules: rules,
});
const namespacedRule = (
  verbs: string[],
  apiGroup: string,
  names: string[],
  namespaces = ['*'],
): ResourcePolicyRule => ({
  verbs,
  apiGroups: [apiGroup],
  resources: names,
  namespaces,
});

function flowSchema(
  name: string,
  level: string,
  matchingPrecedence: number,
  by: 'ByUser' | 'ByNamespace' | undefined,
  ...rules: PolicyRulesWithSubjects[]
): FlowSchema {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name, annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' } },
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence,
      ...(by && { distinguisherMethod: { type: by } }),
      rules,
    },
  };
}

function priorityLevel(name: string, spec: PriorityLevelConfiguration['spec']): PriorityLevelConfiguration {
  return {
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'PriorityLevelConfiguration',
    metadata: { name, annotations: { 'apf.kubernetes.io/autoupdate-spec': 'true' } },
    spec,
  };
}

function limited(
  name: string,
  nominalConcurrencyShares: number,
  lendablePercent: number,
  queues: number,
  handSize: number,
): PriorityLevelConfiguration {
  const queuing = { queues, handSize, queueLengthLimit: 50 };
  const limitResponse = { type: 'Queue', queuing };
  return priorityLevel(name, {
    type: 'Limited',
    limited: { nominalConcurrencyShares, lendablePercent, limitResponse },
  });
}

const masters = group('system:masters');
const nodes = group('system:nodes');
const anyone = [group('system:unauthenticated'), group('system:authenticated')];
const controllerManager = user('system:kube-controller-manager');
const scheduler = user('system:kube-scheduler');
const systemAccounts = account('kube-system', '*');
const leases = namespacedRule(['get', 'create', 'update'], 'coordination.k8s.io', ['leases']);

/** Kept as they are: the server restores them. */
export const mandatory = {
  flowSchemas: [
    flowSchema('exempt', 'exempt', 1, undefined, everything(masters)),
    flowSchema('catch-all', 'catch-all', 10_000, 'ByUser', everything(...anyone)),
  ],
  priorityLevels: [
    priorityLevel('exempt', { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
    priorityLevel('catch-all', {
      type: 'Limited',
      limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
    }),
  ],
} as const satisfies { flowSchemas: FlowSchema[]; priorityLevels: PriorityLevelConfiguration[] };

/** Made when they are missing, updated while their annotation says so. */
export const suggested = {
  flowSchemas: [
    flowSchema('probes', 'exempt', 2, undefined, {
      subjects: anyone,
      nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
    }),
    flowSchema(
      'system-leader-election',
      'leader-election',
      100,
      'ByUser',
      resources([controllerManager, scheduler, systemAccounts], leases),
    ),
    flowSchema(
      'system-node-high',
      'node-high',
      400,
      'ByUser',
      resources(
        [nodes],
        { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true, namespaces: ['*'] },
        namespacedRule(['*'], 'coordination.k8s.io', ['leases']),
      ),
    ),
    flowSchema('system-nodes', 'system', 500, 'ByUser', everything(nodes)),
    flowSchema('kube-controller-manager', 'workload-high', 800, 'ByNamespace', everything(controllerManager)),
    flowSchema('kube-scheduler', 'workload-high', 800, 'ByNamespace', everything(scheduler)),
    flowSchema('kube-system-service-accounts', 'workload-high', 900, 'ByNamespace', everything(systemAccounts)),
    flowSchema('service-accounts', 'workload-low', 9000, 'ByUser', everything(group('system:serviceaccounts'))),
    flowSchema('global-default', 'global-default', 9900, 'ByUser', everything(...anyone)),
  ],
  priorityLevels: [
    limited('system', 30, 33, 64, 6),
    limited('node-high', 40, 25, 64, 6),
    limited('leader-election', 10, 0, 16, 4),
    limited('workload-high', 40, 50, 128, 6),
    limited('workload-low', 100, 90, 128, 6),
    limited('global-default', 20, 50, 128, 6),
  ],
} as const satisfies { flowSchemas: FlowSchema[]; priorityLevels: PriorityLevelConfiguration[] };
