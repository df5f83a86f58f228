/** Helpers for the tests of strategies: build an object, default it, and say what is wrong with it. */
import type { KubeObject } from '../../api/object.ts';
import { systemClock } from '../../base/clock.ts';
import { seededRandom } from '../../base/random.ts';
import type { FieldError } from './field-errors.ts';
import type { RequestContext, Strategy } from './strategy.ts';

export const context: RequestContext = {
  user: { name: 'alice', uid: 'u-1', groups: ['system:authenticated'] },
  namespace: 'default',
  dryRun: false,
  clock: systemClock,
  random: seededRandom(1),
  subresource: '',
};

/** Runs a fresh object through defaulting and preparation, as the pipeline does before validation. */
export function created<T extends KubeObject>(strategy: Strategy<T>, draft: object): T {
  const obj = structuredClone(draft) as T;
  strategy.default?.(obj);
  strategy.prepareForCreate?.(obj, context);
  strategy.default?.(obj);
  return obj;
}

/** "field: message" of every error. */
export const texts = (errors: readonly FieldError[] | undefined): string[] =>
  (errors ?? []).map(error => `${error.field}: ${error.message}`);

/** What creating `draft` complains about. */
export function createErrors<T extends KubeObject>(strategy: Strategy<T>, draft: object): string[] {
  return texts(strategy.validate?.(created(strategy, draft), context));
}

/** What changing a stored `before` into `after` complains about. */
export function updateErrors<T extends KubeObject>(
  strategy: Strategy<T>,
  before: object,
  change: (obj: T) => void,
): string[] {
  const old = created(strategy, before);
  const obj = structuredClone(old);
  change(obj);
  strategy.default?.(obj);
  strategy.prepareForUpdate?.(obj, old, context);
  return texts(strategy.validateUpdate?.(obj, old, context));
}

/** A copy of `obj` with the value at a dotted path replaced; list items are addressed by number. */
export function withValue(obj: object, path: string, value: unknown): object {
  const copy = structuredClone(obj) as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at: Record<string, unknown> = copy;
  for (const key of keys) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}
