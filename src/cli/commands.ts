/** Every command, in the order of the help page. Modules are loaded when their command is run. */
import type { CommandEntry } from './command.ts';

const cluster = 'Cluster on this machine';
const machines = 'Clusters of several machines';
const parts = 'Parts, each as a process of its own';
const operations = 'Operations';

export const commands: readonly CommandEntry[] = [
  {
    name: 'up',
    section: cluster,
    summary: 'Start a cluster: control plane, one node, network and DNS',
    load: async () => (await import('./commands/up.ts')).up,
  },
  {
    name: 'down',
    section: cluster,
    summary: 'Stop the cluster and its containers; keep its data',
    load: async () => (await import('./commands/down.ts')).down,
  },
  {
    name: 'status',
    section: cluster,
    summary: 'Say what runs and how it is',
    load: async () => (await import('./commands/status.ts')).status,
  },
  {
    name: 'logs',
    section: cluster,
    summary: 'Print the log of a part of the cluster',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  {
    name: 'reset',
    section: cluster,
    summary: 'Stop the cluster and delete its data',
    load: async () => (await import('./commands/down.ts')).reset,
  },
  {
    name: 'server',
    section: machines,
    summary: 'Control plane that nodes of other machines join',
    load: async () => (await import('./commands/server.ts')).server,
  },
  {
    name: 'agent',
    section: machines,
    summary: 'Join this machine as a node',
    load: async () => (await import('./commands/agent.ts')).agent,
  },
  {
    name: 'apiserver',
    section: parts,
    summary: 'The API server',
    load: async () => (await import('./commands/apiserver.ts')).apiserver,
  },
  {
    name: 'controller-manager',
    section: parts,
    summary: 'The controllers',
    load: async () => (await import('./commands/controller-manager.ts')).controllerManager,
  },
  {
    name: 'scheduler',
    section: parts,
    summary: 'The scheduler',
    load: async () => (await import('./commands/scheduler.ts')).scheduler,
  },
  {
    name: 'kubelet',
    section: parts,
    summary: 'The kubelet alone',
    load: async () => (await import('./commands/kubelet.ts')).kubelet,
  },
  {
    name: 'proxy',
    section: parts,
    summary: 'The service proxy alone',
    load: async () => (await import('./commands/proxy.ts')).proxy,
  },
  {
    name: 'dns',
    section: parts,
    summary: 'Cluster DNS alone',
    load: async () => (await import('./commands/dns.ts')).dns,
  },
  {
    name: 'node',
    section: parts,
    summary: 'The agent of this machine’s node: kubelet, proxy, network and DNS',
    load: async () => (await import('./commands/node.ts')).node,
  },
  {
    name: 'simulated-nodes',
    section: parts,
    summary: 'Nodes without containers',
    load: async () => (await import('./commands/simulated-nodes.ts')).simulatedNodes,
  },
  {
    name: 'why',
    section: operations,
    summary: 'Say of each node and each scheduling rule why a pod is pending',
    load: async () => (await import('./commands/why.ts')).why,
  },
  {
    name: 'image',
    section: operations,
    summary: 'Import, list or remove images of the node, without a registry',
    load: async () => (await import('./commands/image.ts')).image,
  },
  {
    name: 'snapshot',
    section: operations,
    summary: 'Save, restore or inspect a copy of the embedded store',
    load: async () => (await import('./commands/snapshot.ts')).snapshot,
  },
];
