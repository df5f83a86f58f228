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

/** One rule: the field that is changed (a dotted path; a new value of undefined removes it) and the exact complaints. */
export type Rule = readonly [path: string, value: unknown, ...errors: string[]];

/** What creating `base` with each change complains about, in the form of the rules themselves: compare the two. */
export function onCreate<T extends KubeObject>(strategy: Strategy<T>, base: object, rules: readonly Rule[]): Rule[] {
  return rules.map(([path, value]) => [path, value, ...createErrors(strategy, withValue(base, path, value))]);
}

/** The same for a change of the stored `base`. */
export function onUpdate<T extends KubeObject>(strategy: Strategy<T>, base: object, rules: readonly Rule[]): Rule[] {
  const change = (path: string, value: unknown) => (obj: T) => void Object.assign(obj, withValue(obj, path, value));
  return rules.map(([path, value]) => [path, value, ...updateErrors(strategy, base, change(path, value))]);
}

/** The same for a write of `base`'s status (or of what another subresource may change). */
export function onSubresource<T extends KubeObject>(
  strategy: Strategy<T>,
  name: string,
  base: object,
  rules: readonly Rule[],
): Rule[] {
  const own = strategy.subresources?.[name];
  return rules.map(([path, value]) => {
    const old = created(strategy, base);
    const obj = withValue(old, path, value) as T;
    own?.prepareForUpdate?.(obj, old, { ...context, subresource: name });
    return [path, value, ...texts(own?.validateUpdate?.(obj, old, context))];
  });
}

/** A table's cells of one object, by column. */
export function cells<T extends KubeObject>(strategy: Strategy<T>, obj: T): Record<string, unknown> {
  return Object.fromEntries((strategy.columns ?? []).map(column => [column.name, column.cell(obj, 0)]));
}
