import type { Binding, Pod } from '../../api/types/core-v1.ts';
import { isNotFound } from '../../base/errors.ts';
import type { AdmissionPluginFactory } from './contract.ts';
import { isFor, objectOf, on } from './helpers.ts';

const labels = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/** Pods carry the zone and region of their node, for the downward API. What a pod says itself stays. */
export const podTopologyLabels: AdmissionPluginFactory = {
  name: 'PodTopologyLabels',
  create({ client }) {
    const nodes = client.resource('v1/nodes');
    async function labelsOf(node: string): Promise<Record<string, string>> {
      try {
        const all = (await nodes.get(node)).metadata.labels ?? {};
        return Object.fromEntries(labels.flatMap(key => (all[key] === undefined ? [] : [[key, all[key]]])));
      } catch (e) {
        if (isNotFound(e)) return {};
        throw e;
      }
    }
    return {
      name: 'PodTopologyLabels',
      resources: ['/pods'],
      handles: on('CREATE'),
      async admit(request) {
        const target = isFor(request, '/pods', 'binding')
          ? objectOf<Binding>(request).target
          : isFor(request, '/pods') && { kind: 'Node', name: objectOf<Pod>(request).spec?.nodeName };
        if (!target) return;
        if (target.kind !== 'Node' || !target.name) return;
        const found = await labelsOf(target.name);
        const { metadata } = objectOf<Pod>(request);
        if (Object.keys(found).length > 0) metadata.labels = { ...found, ...metadata.labels };
      },
    };
  },
};
