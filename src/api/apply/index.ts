export { type ApplyInput, type ApplyResult, applyPatch, checkTyped } from './apply.ts';
export { decodeFieldSet, emptySet, type FieldSet, formatPath, setOf, union } from './field-set.ts';
export { asksForReset, decodeManaged, encodeManaged, type Managed, maxUpdateManagers } from './managed-fields.ts';
export {
  type ApplyObject,
  type OtherVersions,
  sameButTimes,
  trackUpdate,
  type UpdateInput,
  type WriteContext,
} from './track.ts';
