/** Items of lists that must differ (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype). */
import type { ListSchema, Schema } from '../schema.ts';
import { canonical, enough, type Problem, problem } from './problems.ts';

type Json = Record<string, unknown>;

export function checkLists(value: unknown, schema: Schema): Problem[] {
  const out: Problem[] = [];
  walk(value, schema, '', out);
  return out;
}

function walk(value: unknown, schema: Schema, path: string, out: Problem[]): void {
  if (out.length >= enough) return;
  if (schema.kind === 'list' && Array.isArray(value)) {
    if (schema.listType === 'set')
      for (const i of duplicatesOf(value)) out.push(problem.duplicate(`${path}[${i}]`, value[i]));
    else if (schema.listType === 'map') checkKeys(value, schema, path, out);
    value.forEach((item, i) => void walk(item, schema.items, `${path}[${i}]`, out));
  } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    if (schema.kind === 'map')
      for (const [key, inner] of Object.entries(value)) walk(inner, schema.values, `${path}[${key}]`, out);
    else if (schema.kind === 'object' && schema.name === undefined)
      for (const [name, field] of schema.fields)
        if (Object.hasOwn(value, name)) walk((value as Json)[name], field.schema, path ? `${path}.${name}` : name, out);
  }
}

/** Null stands for an item without keys. */
function checkKeys(list: readonly unknown[], schema: ListSchema, path: string, out: Problem[]): void {
  const keys = [...(schema.mapKeys ?? [])].sort();
  const keyOf = (item: unknown) => {
    const own = (item ?? {}) as Json;
    return Object.fromEntries(keys.filter(k => Object.hasOwn(own, k)).map(k => [k, own[k]]));
  };
  const bad = list.findIndex(item => typeof item !== 'object' || Array.isArray(item));
  if (bad >= 0)
    out.push(problem.invalid(`${path}[${bad}]`, list[bad], 'must be an object for an array of list-type map'));
  else for (const i of duplicatesOf(list, keyOf)) out.push(problem.duplicate(`${path}[${i}]`, keyOf(list[i])));
}

/** Indexes of the second appearance of values. */
function duplicatesOf(list: readonly unknown[], keyOf: (item: unknown) => unknown = item => item): number[] {
  const seen = new Map<string, number>();
  const out: number[] = [];
  list.forEach((item, i) => {
    const key = canonical(keyOf(item));
    const times = seen.get(key) ?? 0;
    if (times === 1) out.push(i);
    seen.set(key, times + 1);
  });
  return out;
}
