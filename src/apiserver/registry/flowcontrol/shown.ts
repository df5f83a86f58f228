/** Specs as messages show them. */
import { inside } from '../internal-form.ts';

const named = { Name: '' };
const rule = {
  Subjects: [{ Kind: '', User: named, Group: named, ServiceAccount: { Namespace: '', Name: '' } }],
  ResourceRules: [{ Verbs: null, APIGroups: null, Resources: null, ClusterScope: false, Namespaces: null }],
  NonResourceRules: [{ Verbs: null, NonResourceURLs: null }],
} as const;

export const shownFlowSchema = {
  PriorityLevelConfiguration: inside(named),
  MatchingPrecedence: 0,
  DistinguisherMethod: { Type: '' },
  Rules: [rule],
} as const;

const queuing = { Queues: 0, HandSize: 0, QueueLengthLimit: 0 };

export const shownLevel = {
  Type: '',
  Limited: {
    NominalConcurrencyShares: 0,
    LimitResponse: inside({ Type: '', Queuing: queuing }),
    LendablePercent: null,
    BorrowingLimitPercent: null,
  },
  Exempt: { NominalConcurrencyShares: null, LendablePercent: null },
} as const;
