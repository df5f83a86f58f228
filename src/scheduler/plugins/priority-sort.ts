import { definePlugin, type PluginFactory } from '../framework/plugin.ts';

/** Higher priority first, then who waits longer. */
export const prioritySort: PluginFactory = {
  name: 'PrioritySort',
  create: () =>
    definePlugin({
      name: 'PrioritySort',
      less: (a, b) =>
        a.info.priority > b.info.priority || (a.info.priority === b.info.priority && a.queuedAt < b.queuedAt),
    }),
};
