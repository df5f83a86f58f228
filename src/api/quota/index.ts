export * from './evaluators.ts';
export { podLimits, podRequests, qosClass } from './pod-resources.ts';
export * from './resource-list.ts';
