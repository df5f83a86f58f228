/** Values at simple paths such as ".spec.replicas", with Go's complaints about others (apimachinery's unstructured helpers). */
import { goPrint, goTypeOf } from '../../api/util/go-text.ts';

export class AccessorError extends Error {}

const wrong = (path: string, value: unknown, expected: string) =>
  new AccessorError(
    `${path} accessor error: ${goPrint(value)} is of the type ${goTypeOf(value)}, expected ${expected}`,
  );

/** Undefined when it is not there. @throws AccessorError when something on the way is no object */
export function valueAt(obj: object, path: string): unknown {
  const names = path.replace(/^\./, '').split('.');
  let value: unknown = obj;
  for (const [i, name] of names.entries()) {
    if (value === null) return undefined;
    if (typeof value !== 'object' || Array.isArray(value))
      throw wrong(`.${names.slice(0, i + 1).join('.')}`, value, 'map[string]interface{}');
    if (!Object.hasOwn(value as object, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** @throws AccessorError */
export function integerAt(obj: object, path: string): number | undefined {
  const value = valueAt(obj, path);
  if (value === undefined || Number.isInteger(value)) return value as number | undefined;
  throw wrong(path, value, 'int64');
}

/** @throws AccessorError */
export function textAt(obj: object, path: string): string | undefined {
  const value = valueAt(obj, path);
  if (value === undefined || typeof value === 'string') return value;
  throw wrong(path, value, 'string');
}
