/** Levels, versions, and what the labels of a namespace ask for. */
import type { PodSpec } from '../../../api/types/core-v1.ts';
import type { ObjectMeta } from '../../../api/types/meta-v1.ts';
import { type FieldError, field } from '../../registry/field-errors.ts';
import { baselineChecks } from './baseline.ts';
import type { Check, PodCheck, Violation } from './check.ts';
import { restrictedChecks } from './restricted.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';
const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];
/** The newest policy this server knows. */
const newestMinor = 35;

export interface LevelVersion {
  readonly level: Level;
  /** Minor version, or "latest". */
  readonly version: number | 'latest';
}
export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}
export type Mode = keyof Policy;

export const privilegedLatest: LevelVersion = { level: 'privileged', version: 'latest' };
export const defaultPolicy: Policy = { enforce: privilegedLatest, audit: privilegedLatest, warn: privilegedLatest };

export const showPolicy = ({ level, version }: LevelVersion): string =>
  `${level}:${version === 'latest' ? 'latest' : `v1.${version}`}`;
export const samePolicy = (a: LevelVersion, b: LevelVersion): boolean => a.level === b.level && a.version === b.version;
/** Negative when `a` forbids less. */
export const compareLevels = (a: Level, b: Level): number => levels.indexOf(a) - levels.indexOf(b);

const levelLabel = (mode: Mode) => `pod-security.kubernetes.io/${mode}`;
export const versionLabel = (mode: Mode): string => `${levelLabel(mode)}-version`;

function parseVersion(text: string): number | 'latest' | undefined {
  if (text === 'latest') return text;
  const match = /^v1\.(0|[1-9]\d*)$/.exec(text);
  return match ? Number(match[1]) : undefined;
}

/**
 * What counts for pods of a namespace with these labels. A bad label is an error, and enforces the strictest; audit and
 * warn fail open.
 */
export function policyOf(
  labels: Readonly<Record<string, string>> | undefined,
  defaults: Policy,
): { policy: Policy; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const complain = (label: string, value: string, why: string) =>
    errors.push(field.invalid(`metadata.labels[${label}]`, value, why));
  const read = (mode: Mode): LevelVersion & { given: boolean; versioned: boolean } => {
    let { level, version } = defaults[mode];
    const levelText = labels?.[levelLabel(mode)];
    const versionText = labels?.[versionLabel(mode)];
    const known = levels.find(l => l === levelText);
    if (levelText !== undefined) {
      level = known ?? (mode === 'enforce' ? 'restricted' : 'privileged');
      if (!known) complain(levelLabel(mode), levelText, `must be one of ${levels.join(', ')}`);
    }
    if (versionText !== undefined) {
      const parsed = parseVersion(versionText);
      version = parsed ?? 'latest';
      if (parsed === undefined) complain(versionLabel(mode), versionText, 'must be "latest" or "v1.x"');
    }
    const given = levelText !== undefined && (known !== undefined || mode !== 'enforce');
    return { level, version, given, versioned: versionText !== undefined };
  };
  const [enforce, audit, warn] = [read('enforce'), read('audit'), read('warn')];
  const plain = ({ level, version }: LevelVersion): LevelVersion => ({ level, version });
  // Who tightens what is enforced wants to be warned of workloads that will not run.
  const inherits = !warn.given && enforce.given && compareLevels(enforce.level, warn.level) > 0;
  const warnLevel: LevelVersion = inherits
    ? { level: enforce.level, version: warn.versioned ? warn.version : enforce.version }
    : plain(warn);
  return { policy: { enforce: plain(enforce), audit: plain(audit), warn: warnLevel }, errors };
}

const cache = new Map<string, readonly PodCheck[]>();

function checksFor(level: Level, version: number | 'latest'): readonly PodCheck[] {
  const minor = version === 'latest' ? newestMinor : Math.min(version, newestMinor);
  const key = `${level}/${minor}`;
  const known = cache.get(key);
  if (known) return known;
  const at = (check: Check) => check.versions.findLast(v => v.since <= minor)?.check;
  const extra = level === 'restricted' ? restrictedChecks.filter(c => at(c)) : [];
  const overridden = new Set(extra.flatMap(c => c.overrides ?? []));
  const made = [...baselineChecks.filter(c => !overridden.has(c.id)), ...extra].flatMap(c => at(c) ?? []);
  cache.set(key, made);
  return made;
}

export function evaluate(
  { level, version }: LevelVersion,
  spec: PodSpec,
  metadata: Pick<ObjectMeta, 'annotations'>,
): Violation[] {
  if (level === 'privileged') return [];
  return checksFor(level, version).flatMap(check => check(spec, metadata) ?? []);
}

/** `reason (detail), reason (detail)` */
export const describe = (violations: readonly Violation[]): string =>
  violations.map(v => (v.detail ? `${v.reason} (${v.detail})` : v.reason)).join(', ');
export const reasons = (violations: readonly Violation[]): string => violations.map(v => v.reason).join(', ');
