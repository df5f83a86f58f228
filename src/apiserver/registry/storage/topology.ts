import type { TopologySelectorTerm } from '../../../api/types/core-v1.ts';
import { type Errors, each, required } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelName } from '../meta/object-meta.ts';

/** A set of labels with their values, each key once. */
export function validateTopologyTerm(term: TopologySelectorTerm, path: string): Errors {
  const keys = new Set<string>();
  return each(term.matchLabelExpressions, `${path}.matchLabelExpressions`, ({ key, values }, at) => {
    const twice = keys.has(key);
    keys.add(key);
    const seen = new Set<string>();
    return [
      ...required(values, `${at}.values`),
      ...each(values, `${at}.values`, (value, where) => {
        if (seen.has(value)) return [field.duplicate(where, value)];
        seen.add(value);
        return [];
      }),
      ...validateLabelName(key, `${at}.key`),
      ...(twice ? [field.duplicate(`${at}.key`, key)] : []),
    ];
  });
}
