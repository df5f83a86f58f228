import { semanticEqual } from '../../../api/util/values.ts';

/** What changed between two values, one line per leaf: "  path: old → new". For messages about fields that may not change. */
export function describeChanges(before: unknown, after: unknown, path = ''): string {
  return changes(before, after, path)
    .slice(0, 20)
    .map(line => `  ${line}`)
    .join('\n');
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const show = (value: unknown) => (value === undefined ? 'unset' : JSON.stringify(value));

function changes(before: unknown, after: unknown, path: string): string[] {
  if (semanticEqual(before, after)) return [];
  if (!isRecord(before) || !isRecord(after) || Array.isArray(before) !== Array.isArray(after)) {
    return [`${path}: ${show(before)} → ${show(after)}`];
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const join = (key: string) => (Array.isArray(before) ? `${path}[${key}]` : path ? `${path}.${key}` : key);
  return keys.flatMap(key => changes(before[key], after[key], join(key)));
}
