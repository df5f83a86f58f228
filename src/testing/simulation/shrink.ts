/** From a failing run to a short one: fewer steps, fewer kinds of fault, the same finding. */
import type { SimulationOptions, SimulationReport } from './contract.ts';
import { defaultFaults, type FaultRates } from './faults.ts';
import { simulate } from './simulate.ts';

export interface Shrunk {
  readonly options: SimulationOptions;
  readonly report: SimulationReport;
  readonly runs: number;
}

export interface ShrinkLimits {
  /** At most so many runs; default 60. */
  readonly runs?: number;
  /** Asked before each run; false ends the search with the best so far. */
  readonly goOn?: () => boolean;
}

/** Delta debugging over steps, then fault rates one by one. A run counts when it breaks one of the same invariants. */
export async function shrink(
  failing: SimulationOptions,
  report: SimulationReport,
  limits: ShrinkLimits = {},
): Promise<Shrunk> {
  const names = new Set(report.findings.map(finding => finding.invariant));
  const most = limits.runs ?? 60;
  let runs = 0;
  let best: Shrunk = { options: failing, report, runs };
  const mayRun = () => runs < most && (limits.goOn?.() ?? true);
  const attempt = async (options: SimulationOptions): Promise<boolean> => {
    runs += 1;
    const { onLine: _quiet, ...rest } = options;
    const outcome = await simulate(rest);
    if (!outcome.findings.some(finding => names.has(finding.invariant))) return false;
    best = { options: rest, report: outcome, runs };
    return true;
  };
  let steps = [...(failing.only ?? Array.from({ length: failing.steps ?? 60 }, (_, index) => index))];
  for (let size = Math.ceil(steps.length / 2); size >= 1 && mayRun(); ) {
    let removed = false;
    for (let at = 0; at < steps.length && mayRun(); ) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)];
      if (fewer.length < steps.length && (await attempt({ ...best.options, only: fewer }))) {
        steps = fewer;
        removed = true;
      } else at += size;
    }
    if (size === 1 && !removed) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  for (const fault of Object.keys(defaultFaults) as (keyof FaultRates)[]) {
    const isOff = (best.options.faults?.[fault] ?? defaultFaults[fault]) === 0;
    if (isOff || !mayRun()) continue;
    await attempt({ ...best.options, faults: { ...best.options.faults, [fault]: 0 } });
  }
  return { ...best, runs };
}

/** The words after `npm run simulate --` that replay a run. */
export function replayArguments({ seed, steps, only, nodes, storage = 'memory', faults }: SimulationOptions): string {
  const off = Object.entries(faults ?? {})
    .filter(([, rate]) => rate === 0)
    .map(([name]) => name);
  return [
    `--seed ${seed}`,
    only ? `--only ${only.length > 0 ? only.join(',') : 'none'}` : `--steps ${steps ?? 60}`,
    ...(nodes === undefined ? [] : [`--nodes ${nodes}`]),
    `--store ${storage}`,
    ...(off.length > 0 ? [`--without ${off.join(',')}`] : []),
  ].join(' ');
}
