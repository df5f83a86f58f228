import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';

const name = 'NodeName';
const reject = rejections(name);

/** `spec.nodeName` of a pod that is not assigned yet cannot occur through the API; dry runs use it. */
export const nodeName: PluginFactory = {
  name,
  create: () =>
    definePlugin<undefined>({
      name,
      signature: pod => pod.pod.spec.nodeName ?? '',
      filter(_state, node, { pod }) {
        const wanted = pod.spec.nodeName;
        if (!wanted || wanted === node.name) return undefined;
        return reject('UnschedulableAndUnresolvable', "node(s) didn't match the requested node name");
      },
      events: [{ resource: 'Node', actions: ['add'] }],
    }),
};
