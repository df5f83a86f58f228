import type { FlowSchema } from '../../../api/types/flowcontrol-v1.ts';
import { rfc3339 } from '../../../base/clock.ts';

/** The status that says whether a schema's priority level exists; undefined when it says so already (apf_controller.go). */
export function withDangling(
  { spec, status }: FlowSchema,
  levels: ReadonlySet<string>,
  now: number,
): FlowSchema['status'] | undefined {
  const name = spec.priorityLevelConfiguration?.name ?? '';
  const found = levels.has(name);
  const said = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(name)}`;
  const condition = {
    type: 'Dangling',
    status: found ? 'False' : 'True',
    reason: found ? 'Found' : 'NotFound',
    message: `${said} ${found ? 'and it exists' : 'but there is no such object'}`,
  };
  const before = status?.conditions?.find(c => c.type === condition.type);
  if (before?.status === condition.status && before.message === condition.message) return undefined;
  const others = (status?.conditions ?? []).filter(c => c.type !== condition.type);
  return { ...status, conditions: [...others, { ...condition, lastTransitionTime: rfc3339(now) }] };
}
