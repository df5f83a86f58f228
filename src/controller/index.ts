export type * from './contract.ts';
export { watch } from './contract.ts';
export { createManager, type Manager, type ManagerOptions } from './manager.ts';
export { selectControllers } from './selection.ts';
