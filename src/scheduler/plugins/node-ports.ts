import type { Pod } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { hostPortsOf, portsConflict } from '../framework/pod-info.ts';
import { rejections } from '../framework/status.ts';

const name = 'NodePorts';
const reject = rejections(name);

export const nodePorts: PluginFactory = {
  name,
  create: () =>
    definePlugin<undefined>({
      name,
      signature: pod => (pod.ports.length === 0 ? '' : JSON.stringify(pod.ports)),
      preFilter: pod => (pod.ports.length === 0 ? { skip: true } : { state: undefined }),
      filter(_state, node, pod) {
        const taken = pod.ports.some(wanted => node.ports.some(used => portsConflict(wanted, used)));
        return taken
          ? reject('Unschedulable', "node(s) didn't have free ports for the requested pod ports")
          : undefined;
      },
      events: [
        {
          resource: 'Pod',
          actions: ['delete', 'update'],
          hint: (pod, { object }) => {
            const freed = hostPortsOf(object as Pod);
            return pod.ports.some(wanted => freed.some(port => portsConflict(wanted, port))) ? 'queue' : 'skip';
          },
        },
        { resource: 'Node', actions: ['add'] },
      ],
    }),
};
