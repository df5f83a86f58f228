import type { Pod } from '../../api/types/core-v1.ts';
import type { PriorityClass } from '../../api/types/scheduling-v1.ts';
import { isAlreadyExists } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { forbid, isFor, lookUp, objectOf, oldObjectOf, on, podOf } from './helpers.ts';

const defaultPreemption = 'PreemptLowerPriority';

/** Made at start by the API server. */
export const systemPriorityClasses: readonly PriorityClass[] = [
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'For pods without which a node does not work, and which are bound to it.',
  },
  {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description: 'For pods without which the cluster does not work, on whichever node they run.',
  },
];

/** Idempotent. */
export async function ensureSystemPriorityClasses(client: Client): Promise<void> {
  const classes = client.resource('scheduling.k8s.io/v1/priorityclasses');
  await Promise.all(
    systemPriorityClasses.map(c =>
      classes.create(c).catch(e => {
        if (!isAlreadyExists(e)) throw e;
      }),
    ),
  );
}

interface Resolved {
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy: string;
}

/** Of several global defaults (two servers at once) the lowest counts. */
function globalDefault(classes: readonly PriorityClass[]): Resolved {
  const [lowest] = classes.filter(c => c.globalDefault).sort((a, b) => (a.value ?? 0) - (b.value ?? 0));
  if (!lowest) return { name: '', value: 0, preemptionPolicy: defaultPreemption };
  return {
    name: lowest.metadata.name,
    value: lowest.value ?? 0,
    preemptionPolicy: lowest.preemptionPolicy ?? defaultPreemption,
  };
}

function setPriority(request: AdmissionRequest, pod: Pod & { spec: object }, computed: Resolved): void {
  const spec = pod.spec as NonNullable<Pod['spec']>;
  if (spec.priority !== undefined && spec.priority !== computed.value)
    throw forbid(
      request,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${computed.value} from the given PriorityClass name`,
    );
  if (spec.preemptionPolicy && spec.preemptionPolicy !== computed.preemptionPolicy)
    throw forbid(
      request,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${computed.preemptionPolicy} from the given PriorityClass name`,
    );
  if (computed.name) spec.priorityClassName = computed.name;
  spec.priority = computed.value;
  spec.preemptionPolicy = computed.preemptionPolicy;
}

/** Turns the name of a priority class into its number, and lets only one class be the default. */
export const priority: AdmissionPluginFactory = {
  name: 'Priority',
  create({ client, informers }) {
    const informer = informers.informer('scheduling.k8s.io/v1/priorityclasses');
    const classes = client.resource('scheduling.k8s.io/v1/priorityclasses');

    async function resolve(request: AdmissionRequest, name: string): Promise<Resolved> {
      if (!name) return globalDefault(informer.store.list());
      const found = await lookUp(informer, classes, name);
      if (!found) throw forbid(request, `no PriorityClass with name ${name} was found`);
      return { name, value: found.value ?? 0, preemptionPolicy: found.preemptionPolicy ?? defaultPreemption };
    }

    return {
      name: 'Priority',
      resources: ['/pods', 'scheduling.k8s.io/priorityclasses'],
      handles: on('CREATE', 'UPDATE'),
      async admit(request) {
        const pod = podOf(request);
        if (!pod) return;
        if (request.operation === 'CREATE') {
          setPriority(request, pod, await resolve(request, pod.spec.priorityClassName ?? ''));
          return;
        }
        // Clients that do not know the fields send them back empty.
        const old = oldObjectOf<Pod>(request).spec;
        if (old?.priority !== undefined) pod.spec.priority ??= old.priority;
        if (old?.preemptionPolicy !== undefined) pod.spec.preemptionPolicy ??= old.preemptionPolicy;
      },
      validate(request) {
        if (!isFor(request, 'scheduling.k8s.io/priorityclasses') || !objectOf<PriorityClass>(request).globalDefault)
          return;
        const other = informer.store.list().find(c => c.globalDefault);
        if (other && (request.operation === 'CREATE' || other.metadata.name !== request.name))
          throw forbid(
            request,
            `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
          );
      },
    };
  },
};
