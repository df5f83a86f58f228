/** Why a plugin says no (k8s.io/kube-scheduler/framework Status). */
export type RejectionCode =
  /** Another pod's leaving could help: preemption may be tried. */
  | 'Unschedulable'
  /** No preemption can help on this node. */
  | 'UnschedulableAndUnresolvable'
  /** Waits for something that is under way; the next event of its plugin wakes it without back-off. */
  | 'Pending'
  /** Something failed; the pod is tried again with back-off. */
  | 'Error';

export interface Rejection {
  readonly plugin: string;
  readonly code: RejectionCode;
  readonly reasons: readonly string[];
}

/** Makes rejections of one plugin. Equal ones are one value, so that thousands of nodes share it. */
export type Reject = (code: RejectionCode, ...reasons: string[]) => Rejection;

const limit = 1024;

export function rejections(plugin: string): Reject {
  const known = new Map<string, Rejection>();
  return (code, ...reasons) => {
    const key = reasons.length === 1 ? `${code}\n${reasons[0]}` : [code, ...reasons].join('\n');
    const found = known.get(key);
    if (found) return found;
    if (known.size >= limit) known.clear();
    const made: Rejection = { plugin, code, reasons };
    known.set(key, made);
    return made;
  };
}
