import type { TopologySelectorTerm } from '../../../api/types/core-v1.ts';
import { type Errors, each, required } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelName } from '../meta/object-meta.ts';

/** A set of labels with their values, each key once. */
function validateTopologyTerm(term: TopologySelectorTerm, path: string): Errors {
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

/** Labels and their values, in an order of their own. */
function fingerprint({ matchLabelExpressions: list = [] }: TopologySelectorTerm): string {
  const labels = new Map(list.map(({ key, values = [] }) => [key, [...new Set(values)].sort()]));
  return JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** No two terms say the same. Upstream compares each with as many empty ones as there are terms, too. */
export function validateTopologies(terms: readonly TopologySelectorTerm[] = [], path: string): Errors {
  const before = terms.map(() => fingerprint({}));
  return each(terms, path, (term, at) => {
    const own = fingerprint(term);
    const twice = before.filter(other => other === own);
    before.push(own);
    return [...validateTopologyTerm(term, at), ...twice.map(() => field.duplicate(`${at}.matchLabelExpressions`, ''))];
  });
}
