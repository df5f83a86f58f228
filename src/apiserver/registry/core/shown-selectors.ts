/** Selectors of nodes as messages show them. */
const requirement = { Key: '', Operator: '', Values: null };
export const nodeSelectorTerm = { MatchExpressions: [requirement], MatchFields: [requirement] } as const;
export const volumeAffinity = { Required: { NodeSelectorTerms: [nodeSelectorTerm] } } as const;
