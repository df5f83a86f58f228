import { getOwn, isObject } from '../util/values.ts';
import { compileJsonPath, type JsonPath } from './evaluate.ts';
import { JsonPathError } from './parse.ts';

export { compileJsonPath, formatValue, type JsonPath, type JsonPathOptions } from './evaluate.ts';
export { JsonPathError } from './parse.ts';

/** kubectl takes `x.y`, `.x.y`, `{x.y}` and `{.x.y}` for the same: gives `{.x.y}`. @throws JsonPathError */
export function relaxJsonPath(text: string): string {
  if (text === '') return text;
  const match = /^\{\.?([^{}]+)\}$|^\.?([^{}]+)$/.exec(text);
  if (!match) {
    throw new JsonPathError(
      `unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'`,
    );
  }
  return `{.${match[1] ?? match[2]}}`;
}

/** The path of a printer column or selectable field, `.spec.x`: missing fields give nothing. @throws JsonPathError */
export function compileFieldPath(path: string): JsonPath {
  return compileJsonPath(`{${path}}`, { allowMissingKeys: true });
}

/** The first value at a compiled field path, or undefined; what does not fit the path counts as missing. */
export function firstAt(path: JsonPath, data: unknown): unknown {
  try {
    return path.find(data)[0]?.[0];
  } catch (e) {
    if (e instanceof JsonPathError) return undefined;
    throw e;
  }
}

/** The names in a plain path without lists, `.spec.replicas`, as CRDs give for scale; undefined when it is not plain. */
export function plainPath(path: string): string[] | undefined {
  if (!/^(\.[^.[\]{}$@,\s*]+|\['[^']+'\])+$/.test(path)) return undefined;
  return [...path.matchAll(/\.([^.[\]]+)|\['([^']+)'\]/g)].map(match => match[1] ?? match[2] ?? '');
}

/** The value under the names; undefined when one of them is missing. */
export function valueAt(data: unknown, names: readonly string[]): unknown {
  let value = data;
  for (const name of names) {
    if (!isObject(value)) return undefined;
    value = getOwn(value, name);
  }
  return value;
}
