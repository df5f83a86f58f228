export { type AccountClients, createAccountClients } from './accounts.ts';
export type * from './contract.ts';
export { watch } from './contract.ts';
export { atLeast, createWriteLedger, type WriteLedger } from './ledger.ts';
export { createManager, type Manager, type ManagerOptions } from './manager.ts';
export { selectControllers } from './selection.ts';
