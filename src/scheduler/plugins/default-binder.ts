import { messageOf } from '../../base/errors.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';

const name = 'DefaultBinder';
const reject = rejections(name);

export const defaultBinder: PluginFactory = {
  name,
  create: () =>
    definePlugin({
      name,
      async bind({ client, pod, node, signal }) {
        const { name: podName, namespace, uid } = pod.pod.metadata;
        try {
          await client.pods(namespace).createSubresource(
            podName,
            'binding',
            {
              apiVersion: 'v1',
              kind: 'Binding',
              metadata: { name: podName, namespace, uid },
              target: { kind: 'Node', name: node.name },
            },
            { signal },
          );
          return 'bound';
        } catch (error) {
          return { ...reject('Error', messageOf(error)) };
        }
      },
    }),
};
