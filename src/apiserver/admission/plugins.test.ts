import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../api/types/core-v1.ts';
import { clusterBinding, clusterRole, rule, user } from '../auth/rbac/bootstrap/build.ts';
import { alwaysPullImages } from './always-pull-images.ts';
import type { AdmissionPluginFactory } from './contract.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { admissionPlugins, ensureSystemPriorityClasses } from './index.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { defaultIngressClass } from './network.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references.ts';
import { podTopologyLabels } from './pod-topology-labels.ts';
import { priority } from './priority.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { defaultStorageClass, storageObjectInUseProtection } from './storage.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';
import { fixture, refusal, run } from './testing/request.ts';

type PodBody = Pod & { spec: NonNullable<Pod['spec']> };
const pod = (spec: object = {}, metadata: object = {}): PodBody => ({
  metadata: { name: 'p', namespace: 'ns', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const pods = '/pods';

function start(factory: AdmissionPluginFactory) {
  const cluster = fixture();
  return { cluster, plugin: factory.create(cluster.environment) };
}

describe('the list of plugins', () => {
  it('has unique names, and all but two are on', () => {
    const names = admissionPlugins.map(p => p.name);
    assert.equal(new Set(names).size, names.length);
    const off = admissionPlugins.filter(p => p.disabledByDefault).map(p => p.name);
    assert.deepEqual(off, ['AlwaysPullImages', 'OwnerReferencesPermissionEnforcement']);
  });
});

describe('NamespaceLifecycle', () => {
  it('needs a living namespace for what is created', async () => {
    const { cluster, plugin } = start(namespaceLifecycle);
    cluster.add('v1/namespaces', { metadata: { name: 'ns' } });
    cluster.add('v1/namespaces', { metadata: { name: 'going' }, status: { phase: 'Terminating' } } as never);
    const cases: [object, string][] = [
      [{ resource: pods, object: pod() }, ''],
      [{ resource: pods, object: pod({}, { namespace: 'none' }) }, 'namespaces "none" not found'],
      [
        { resource: pods, object: pod({}, { namespace: 'going' }) },
        'pods "p" is forbidden: unable to create new content in namespace going because it is being terminated',
      ],
      [{ resource: pods, object: pod({}, { namespace: 'going' }), old: pod() }, ''],
      [{ resource: pods, operation: 'DELETE', namespace: 'going', name: 'p' }, ''],
      [{ resource: '/nodes', object: { metadata: { name: 'n' } } }, ''],
      [{ resource: 'authorization.k8s.io/localsubjectaccessreviews', object: { metadata: {} }, namespace: 'none' }, ''],
      [
        { resource: '/namespaces', operation: 'DELETE', name: 'kube-system' },
        'namespaces "kube-system" is forbidden: this namespace may not be deleted',
      ],
      [{ resource: '/namespaces', operation: 'DELETE', name: 'ns' }, ''],
    ];
    for (const [question, message] of cases)
      assert.equal(await refusal(plugin, question as never), message, JSON.stringify(question));
  });

  it('asks the API itself right after a deletion', async () => {
    const { cluster, plugin } = start(namespaceLifecycle);
    cluster.add('v1/namespaces', { metadata: { name: 'ns' } });
    await run(plugin, { resource: '/namespaces', operation: 'DELETE', name: 'ns' });
    cluster.remove('v1/namespaces', 'ns');
    assert.match(await refusal(plugin, { resource: pods, object: pod() }), /not found/);
  });
});

describe('ServiceAccount', () => {
  it('gives a pod the default account, its pull secrets and a token volume', async () => {
    const { cluster, plugin } = start(serviceAccount);
    cluster.add('v1/serviceaccounts', {
      metadata: { name: 'default', namespace: 'ns' },
      imagePullSecrets: [{ name: 'pull' }],
    } as never);
    const body = pod({ initContainers: [{ name: 'i' }] });
    await run(plugin, { resource: pods, object: body });
    assert.equal(body.spec.serviceAccountName, 'default');
    assert.deepEqual(body.spec.imagePullSecrets, [{ name: 'pull' }]);
    const [volume] = body.spec.volumes ?? [];
    assert.match(volume?.name ?? '', /^kube-api-access-[a-z0-9]{5}$/);
    const mount = { name: volume?.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' };
    assert.deepEqual(body.spec.containers[0]?.volumeMounts, [mount]);
    assert.deepEqual(body.spec.initContainers?.[0]?.volumeMounts, [mount]);
    assert.deepEqual(volume?.projected, {
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    });
    const again = structuredClone(body);
    await run(plugin, { resource: pods, object: again });
    assert.deepEqual(again, body);
  });

  it('leaves volumes without a name to the validation', async () => {
    const { cluster, plugin } = start(serviceAccount);
    cluster.add('v1/serviceaccounts', { metadata: { name: 'default', namespace: 'ns' } } as never);
    const body = pod({ volumes: [{}] });
    await run(plugin, { resource: pods, object: body });
    assert.equal(body.spec.volumes?.length, 2);
  });

  it('mounts nothing where the pod, then the account, says so', async () => {
    const { cluster, plugin } = start(serviceAccount);
    cluster.add('v1/serviceaccounts', {
      metadata: { name: 'quiet', namespace: 'ns' },
      automountServiceAccountToken: false,
    } as never);
    const mounted = async (spec: object) => {
      const body = pod({ serviceAccountName: 'quiet', ...spec });
      await run(plugin, { resource: pods, object: body });
      return body.spec.volumes?.length ?? 0;
    };
    assert.equal(await mounted({}), 0);
    assert.equal(await mounted({ automountServiceAccountToken: true }), 1);
    const path = '/var/run/secrets/kubernetes.io/serviceaccount';
    const own = { containers: [{ name: 'c', volumeMounts: [{ name: 'v', mountPath: path }] }] };
    assert.equal(await mounted({ automountServiceAccountToken: true, ...own }), 0);
  });

  it('refuses missing accounts, mirror pods with credentials, and secrets that the account does not list', async () => {
    const { cluster, plugin } = start(serviceAccount);
    cluster.add('v1/serviceaccounts', {
      metadata: { name: 'strict', namespace: 'ns', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
      secrets: [{ name: 'known' }],
    } as never);
    const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
    const volumes = (secretName: string) => ({
      serviceAccountName: 'strict',
      volumes: [{ name: 'v', secret: { secretName } }],
    });
    const cases: [object, string][] = [
      [
        pod({ serviceAccountName: 'none' }),
        'pods "p" is forbidden: error looking up service account ns/none: serviceaccount "none" not found',
      ],
      [
        pod({ serviceAccountName: 'x' }, mirror),
        'pods "p" is forbidden: a mirror pod may not reference service accounts',
      ],
      [pod({}, mirror), ''],
      [pod(volumes('known')), ''],
      [
        pod(volumes('other')),
        'pods "p" is forbidden: volume with secret.secretName="other" is not allowed because service account strict does not reference that secret',
      ],
    ];
    for (const [object, message] of cases) assert.equal(await refusal(plugin, { resource: pods, object }), message);
  });

  it('waits for the default account of a new namespace', async () => {
    const { cluster, plugin } = start(serviceAccount);
    const pending = run(plugin, { resource: pods, object: pod() });
    await cluster.clock.advance(250);
    cluster.add('v1/serviceaccounts', { metadata: { name: 'default', namespace: 'ns' } });
    await pending;
    assert.equal(cluster.clock.pending, 0);
    const failing = refusal(plugin, { resource: pods, object: pod({}, { namespace: 'other' }) });
    await cluster.clock.advance(2000);
    assert.match(await failing, /serviceaccount "default" not found/);
  });
});

describe('small mutations', () => {
  it('DefaultTolerationSeconds adds what is not tolerated yet', async () => {
    const { plugin } = start(defaultTolerationSeconds);
    const added = async (tolerations: object[]) => {
      const body = pod({ tolerations });
      await run(plugin, { resource: pods, object: body });
      return (body.spec.tolerations ?? []).slice(tolerations.length).map(t => [t.key, t.effect, t.tolerationSeconds]);
    };
    const [notReady, unreachable] = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
    assert.deepEqual(await added([]), [
      [notReady, 'NoExecute', 300],
      [unreachable, 'NoExecute', 300],
    ]);
    assert.deepEqual(await added([{ key: notReady, operator: 'Exists' }]), [[unreachable, 'NoExecute', 300]]);
    assert.deepEqual(await added([{ operator: 'Exists' }]), []);
    assert.equal((await added([{ key: notReady, operator: 'Exists', effect: 'NoSchedule' }])).length, 2);
  });

  it('TaintNodesByCondition', async () => {
    const { plugin } = start(taintNodesByCondition);
    const node = { metadata: { name: 'n' }, spec: {} as { taints?: object[] } };
    await run(plugin, { resource: '/nodes', object: node });
    await run(plugin, { resource: '/nodes', object: node });
    assert.deepEqual(node.spec.taints, [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }]);
  });

  it('AlwaysPullImages', async () => {
    const { plugin } = start(alwaysPullImages);
    const body = pod({ initContainers: [{ name: 'i', imagePullPolicy: 'Never' }] });
    await run(plugin, { resource: pods, object: body });
    assert.deepEqual(
      [body.spec.containers, body.spec.initContainers].map(l => l?.[0]?.imagePullPolicy),
      ['Always', 'Always'],
    );
    const same = pod();
    await run(plugin, { resource: pods, object: same, old: pod() });
    assert.equal(same.spec.containers[0]?.imagePullPolicy, undefined);
    const { admit: _, ...validating } = plugin;
    assert.equal(
      await refusal(validating, { resource: pods, object: pod() }),
      'Pod "p" is invalid: spec.containers[0].imagePullPolicy: Unsupported value: "": supported values: "Always"',
    );
  });

  it('StorageObjectInUseProtection', async () => {
    const { plugin } = start(storageObjectInUseProtection);
    const finalizer = async (resource: string) => {
      const object = { metadata: { name: 'x', finalizers: [] as string[] } };
      await run(plugin, { resource, object });
      return object.metadata.finalizers.join();
    };
    assert.equal(await finalizer('/persistentvolumeclaims'), 'kubernetes.io/pvc-protection');
    assert.equal(await finalizer('/persistentvolumes'), 'kubernetes.io/pv-protection');
    assert.equal(await finalizer('storage.k8s.io/volumeattributesclasses'), 'kubernetes.io/vac-protection');
    assert.equal(await finalizer('/configmaps'), '');
  });

  it('DefaultStorageClass and DefaultIngressClass take the newest default', async () => {
    const make = (name: string, creationTimestamp: string, key: string) => ({
      metadata: { name, creationTimestamp, annotations: { [key]: 'true' } },
    });
    const storage = start(defaultStorageClass);
    const key = 'storageclass.kubernetes.io/is-default-class';
    storage.cluster.add(
      'storage.k8s.io/v1/storageclasses',
      make('old', '2020-01-01T00:00:00Z', key),
      make('new', '2021-01-01T00:00:00Z', key),
      { metadata: { name: 'other' } },
    );
    const claims: [object, string | undefined][] = [
      [{}, 'new'],
      [{ storageClassName: '' }, ''],
      [{ storageClassName: 'other' }, 'other'],
    ];
    for (const [spec, expected] of claims) {
      const claim = { metadata: { name: 'c' }, spec: spec as { storageClassName?: string } };
      await run(storage.plugin, { resource: '/persistentvolumeclaims', object: claim });
      assert.equal(claim.spec.storageClassName, expected);
    }
    const ingress = start(defaultIngressClass);
    ingress.cluster.add(
      'networking.k8s.io/v1/ingressclasses',
      make('main', '2020-01-01T00:00:00Z', 'ingressclass.kubernetes.io/is-default-class'),
    );
    const object = { metadata: { name: 'i' }, spec: {} as { ingressClassName?: string } };
    await run(ingress.plugin, { resource: 'networking.k8s.io/ingresses', object });
    assert.equal(object.spec.ingressClassName, 'main');
  });
});

describe('PodTopologyLabels', () => {
  it('copies zone and region to bindings and to pods that come with a node', async () => {
    const { cluster, plugin } = start(podTopologyLabels);
    const [zone, region] = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];
    cluster.add('v1/nodes', { metadata: { name: 'n', labels: { [zone]: 'z', [region]: 'r', other: 'x' } } });
    const binding = { metadata: { name: 'p', labels: {} }, target: { kind: 'Node', name: 'n' } };
    await run(plugin, { resource: pods, subresource: 'binding', namespace: 'ns', object: binding });
    assert.deepEqual(binding.metadata.labels, { [zone]: 'z', [region]: 'r' });
    const body = pod({ nodeName: 'n' }, { labels: { [zone]: 'mine' } });
    await run(plugin, { resource: pods, object: body });
    assert.deepEqual(body.metadata.labels, { [zone]: 'mine', [region]: 'r' });
    const lost = pod({ nodeName: 'none' });
    await run(plugin, { resource: pods, object: lost });
    assert.equal(lost.metadata.labels, undefined);
  });
});

describe('OwnerReferencesPermissionEnforcement', () => {
  it('wants the right to delete, and to hold the owner back', async () => {
    const { cluster } = start(ownerReferencesPermissionEnforcement);
    const discovery = {
      resources: [
        { name: 'replicasets/status', kind: 'ReplicaSet' },
        { name: 'replicasets', kind: 'ReplicaSet', namespaced: true },
      ],
    };
    const client = { ...cluster.client, request: async () => discovery as never };
    const plugin = ownerReferencesPermissionEnforcement.create({ ...cluster.environment, client });
    const grant = (name: string, verbs: string, group: string, resources: string) => {
      cluster.add('rbac.authorization.k8s.io/v1/clusterroles', clusterRole(name, [rule(verbs, group, resources)]));
      cluster.add('rbac.authorization.k8s.io/v1/clusterrolebindings', clusterBinding(name, user(name)));
    };
    grant('deleter', 'delete', 'core', 'pods');
    grant('holder', 'update', 'apps', 'replicasets/finalizers');
    const owned = (blockOwnerDeletion: boolean, kind = 'ReplicaSet') =>
      pod({}, { ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'r', uid: 'u', blockOwnerDeletion }] });
    const ask = (name: string, object: object, old?: object) =>
      refusal(plugin, { resource: pods, object, ...(old && { old }), user: { name, groups: [] } });
    assert.equal(await ask('jane', owned(false)), '');
    assert.equal(await ask('jane', owned(true), owned(true)), '');
    assert.match(await ask('jane', owned(false), pod()), /cannot set an ownerRef on a resource you can't delete/);
    assert.equal(await ask('deleter', owned(false), pod()), '');
    assert.match(await ask('deleter', owned(true), owned(false)), /refers to a resource you can't set finalizers on/);
    assert.equal(await ask('holder', owned(true)), '');
    assert.match(
      await ask('holder', owned(true, 'Nonsense')),
      /cannot find RESTMapping for APIVersion apps\/v1 Kind Nonsense/,
    );
  });
});

describe('Priority', () => {
  it('computes the number from the class', async () => {
    const { cluster, plugin } = start(priority);
    await ensureSystemPriorityClasses(cluster.client);
    await ensureSystemPriorityClasses(cluster.client);
    cluster.add('scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'polite' },
      value: 7,
      preemptionPolicy: 'Never',
    } as never);
    const resolved = async (spec: object) => {
      const body = pod(spec);
      await run(plugin, { resource: pods, object: body });
      return [body.spec.priorityClassName, body.spec.priority, body.spec.preemptionPolicy];
    };
    assert.deepEqual(await resolved({}), [undefined, 0, 'PreemptLowerPriority']);
    assert.deepEqual(await resolved({ priorityClassName: 'polite' }), ['polite', 7, 'Never']);
    assert.deepEqual(await resolved({ priorityClassName: 'system-node-critical' }), [
      'system-node-critical',
      2_000_001_000,
      'PreemptLowerPriority',
    ]);
    cluster.add('scheduling.k8s.io/v1/priorityclasses', {
      metadata: { name: 'usual' },
      value: 5,
      globalDefault: true,
    } as never);
    assert.deepEqual(await resolved({}), ['usual', 5, 'PreemptLowerPriority']);
    const message = (spec: object) => refusal(plugin, { resource: pods, object: pod(spec) });
    assert.equal(
      await message({ priorityClassName: 'none' }),
      'pods "p" is forbidden: no PriorityClass with name none was found',
    );
    assert.equal(
      await message({ priorityClassName: 'polite', priority: 8 }),
      'pods "p" is forbidden: the integer value of priority (8) must not be provided in pod spec; priority admission controller computed 7 from the given PriorityClass name',
    );
    const resource = 'scheduling.k8s.io/priorityclasses';
    const second = { metadata: { name: 'second' }, value: 1, globalDefault: true };
    assert.match(
      await refusal(plugin, { resource, object: second }),
      /PriorityClass usual is already marked as default/,
    );
    const same = { metadata: { name: 'usual' }, value: 5, globalDefault: true };
    assert.equal(await refusal(plugin, { resource, object: same, old: same }), '');
  });

  it('keeps it on update', async () => {
    const { plugin } = start(priority);
    const body = pod();
    await run(plugin, { resource: pods, object: body, old: pod({ priority: 3, preemptionPolicy: 'Never' }) });
    assert.deepEqual([body.spec.priority, body.spec.preemptionPolicy], [3, 'Never']);
  });
});

describe('RuntimeClass', () => {
  it('brings overhead and scheduling', async () => {
    const { cluster, plugin } = start(runtimeClass);
    cluster.add('node.k8s.io/v1/runtimeclasses', {
      metadata: { name: 'vm' },
      overhead: { podFixed: { cpu: '100m' } },
      scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [{ key: 'vm', operator: 'Exists' }] },
    } as never);
    const body = pod({ runtimeClassName: 'vm', tolerations: [{ key: 'vm', operator: 'Exists' }] });
    await run(plugin, { resource: pods, object: body });
    assert.deepEqual(
      [body.spec.overhead, body.spec.nodeSelector, body.spec.tolerations?.length],
      [{ cpu: '100m' }, { vm: 'yes' }, 1],
    );
    const cases: [object, string][] = [
      [{ runtimeClassName: 'none' }, 'pod rejected: RuntimeClass "none" not found'],
      [
        { runtimeClassName: 'vm', overhead: { cpu: '1' } },
        "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
      ],
      [
        { overhead: { cpu: '1' } },
        'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
      ],
      [
        { runtimeClassName: 'vm', nodeSelector: { vm: 'no' } },
        'conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no',
      ],
    ];
    for (const [spec, message] of cases)
      assert.equal(await refusal(plugin, { resource: pods, object: pod(spec) }), `pods "p" is forbidden: ${message}`);
  });
});
