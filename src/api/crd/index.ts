/** Custom resources' schemas: read, checked, applied. CEL rules are kept in `constraints.rules` for their evaluator. */
export { applyDefaults, defaultCustom, dropNulls } from './defaults.ts';
export { hasFormat, isKnownFormat } from './formats.ts';
export type { Problem } from './problems.ts';
export { asSchema, schemaFor, structuralSchema } from './schema.ts';
export { validateStructural } from './structural.ts';
export { validateCustom, validateCustomUpdate, validateStatusUpdate } from './validate.ts';
