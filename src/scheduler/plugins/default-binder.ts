import { type Clock, sleep } from '../../base/clock.ts';
import { isApiError, isNotFound, messageOf } from '../../base/errors.ts';
import { definePlugin, type EffectContext, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';

const name = 'DefaultBinder';
const reject = rejections(name);
const askAgainMs = 1_000;
const asks = 30;

/**
 * A binding that got no answer may have taken effect. To take it for failed, as upstream does, gives the pod's place to another one:
 * so the server is asked, for half a minute.
 */
async function isBound({ client, pod, node, signal }: EffectContext, clock: Clock): Promise<boolean> {
  const { name: podName, namespace, uid } = pod.pod.metadata;
  for (let left = asks; left > 0; left--) {
    try {
      const { metadata, spec } = await client.pods(namespace).get(podName, { signal });
      return metadata.uid === uid && spec.nodeName === node.name;
    } catch (error) {
      if (isNotFound(error)) return false;
      await sleep(clock, askAgainMs, signal);
    }
  }
  return false;
}

export const defaultBinder: PluginFactory = {
  name,
  create: (_args, { clock }) =>
    definePlugin({
      name,
      async bind(context) {
        const { client, pod, node, signal } = context;
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
          const isRefused = isApiError(error) && error.code < 500;
          if (!isRefused && (await isBound(context, clock))) return 'bound';
          return { ...reject('Error', messageOf(error)) };
        }
      },
    }),
};
