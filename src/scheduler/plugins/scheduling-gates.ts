import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';

const name = 'SchedulingGates';
const reject = rejections(name);

/** Pods with gates wait outside the queue until the last gate is removed. */
export const schedulingGates: PluginFactory = {
  name,
  create: () =>
    definePlugin({
      name,
      preEnqueue({ pod }) {
        const gates = pod.spec.schedulingGates ?? [];
        if (gates.length === 0) return undefined;
        const names = gates.map(gate => gate.name).join(' ');
        return { ...reject('UnschedulableAndUnresolvable', `waiting for scheduling gates: [${names}]`) };
      },
      events: [{ resource: 'TargetPod', actions: ['update'] }],
    }),
};
