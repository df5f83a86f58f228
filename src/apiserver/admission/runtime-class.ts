import type { Pod, PodSpec, Toleration } from '../../api/types/core-v1.ts';
import type { RuntimeClass } from '../../api/types/node-v1.ts';
import { semanticEqual } from '../../api/util/values.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { forbid, lookUp, on, podOf } from './helpers.ts';

const sameToleration = (a: Toleration, b: Toleration): boolean => semanticEqual(a, b);

function applyScheduling(request: AdmissionRequest, spec: PodSpec, runtimeClass: RuntimeClass): void {
  const { nodeSelector = {}, tolerations = [] } = runtimeClass.scheduling ?? {};
  for (const [key, value] of Object.entries(nodeSelector)) {
    const own = spec.nodeSelector?.[key];
    if (own !== undefined && own !== value)
      throw forbid(
        request,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
      );
    spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
  }
  const missing = tolerations.filter(t => !spec.tolerations?.some(own => sameToleration(own, t)));
  if (missing.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...missing.map(t => ({ ...t }))];
}

const isEmpty = (overhead: object | undefined): boolean => Object.keys(overhead ?? {}).length === 0;

/** Overhead and scheduling of a pod are those of its runtime class. */
export const runtimeClass: AdmissionPluginFactory = {
  name: 'RuntimeClass',
  create({ client, informers }) {
    const informer = informers.informer('node.k8s.io/v1/runtimeclasses');
    const classes = client.resource('node.k8s.io/v1/runtimeclasses');
    async function classOf(request: AdmissionRequest, pod: Pod): Promise<RuntimeClass | undefined> {
      const name = pod.spec?.runtimeClassName;
      if (!name) return undefined;
      const found = await lookUp(informer, classes, name);
      if (!found) throw forbid(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
      return found;
    }
    return {
      name: 'RuntimeClass',
      resources: ['/pods'],
      handles: on('CREATE'),
      async admit(request) {
        const pod = podOf(request);
        const found = pod && (await classOf(request, pod));
        if (!pod || !found) return;
        applyScheduling(request, pod.spec, found);
        const overhead = found.overhead?.podFixed;
        if (isEmpty(overhead)) return;
        if (!isEmpty(pod.spec.overhead) && !semanticEqual(pod.spec.overhead, overhead))
          throw forbid(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        pod.spec.overhead = { ...overhead };
      },
      async validate(request) {
        const pod = podOf(request);
        if (!pod || isEmpty(pod.spec.overhead)) return;
        const found = await classOf(request, pod);
        if (isEmpty(found?.overhead?.podFixed))
          throw forbid(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
      },
    };
  },
};
