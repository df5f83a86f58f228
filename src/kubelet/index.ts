/** The node agent's portable part. The parts for real machines are in `host/`, `server/`, `runtime/containerd.ts` and `bootstrap/`. */
export { createKubelet, type Kubelet, type KubeletOptions } from './kubelet.ts';
export type { Machine } from './node/machine.ts';
export type * from './runtime/contract.ts';
export { createSimulatedRuntime, type SimulatedRuntime } from './runtime/simulated/index.ts';
export { simulatedDialer } from './simulated-api.ts';
export { simulatedNodesBinding, simulatedNodesUser } from './simulated-identity.ts';
export { createSimulatedNodes, type SimulatedNodes, type SimulatedNodesOptions } from './simulated-nodes.ts';
