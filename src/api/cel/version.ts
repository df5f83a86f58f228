/** Semantic versions (semver.org, 2.0.0). */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Identifiers after "-"; none for a release. */
  readonly prerelease: readonly string[];
}

const number = '(0|[1-9]\\d*)';
const identifiers = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*';
const pattern = new RegExp(`^${number}\\.${number}\\.${number}(?:-(${identifiers}))?(?:\\+${identifiers})?$`);

/** `normalize`: "v1.2" and "01.2.3" do as well. Undefined when it is no version. */
export function tryParseVersion(text: string, normalize = false): Version | undefined {
  const match = pattern.exec(normalize ? normalized(text) : text);
  if (!match) return undefined;
  const [, major, minor, patch, prerelease] = match;
  const parts = prerelease?.split('.') ?? [];
  if (parts.some(part => /^0\d+$/.test(part))) return undefined;
  return { major: Number(major), minor: Number(minor), patch: Number(patch), prerelease: parts };
}

/** @throws Error when it is no version. */
export function parseVersion(text: string, normalize = false): Version {
  const version = tryParseVersion(text, normalize);
  if (!version) throw new Error(`"${text}" is not a semantic version`);
  return version;
}

function normalized(text: string): string {
  const [, core = '', rest = ''] = /^v?([\d.]*)(.*)$/s.exec(text) ?? [];
  const numbers = core.split('.').map(part => part.replace(/^0+(?=\d)/, ''));
  while (numbers.length < 3) numbers.push('0');
  return numbers.join('.') + rest;
}

/** -1, 0 or 1. Build metadata does not count. */
export function compareVersions(a: Version, b: Version): -1 | 0 | 1 {
  for (const part of ['major', 'minor', 'patch'] as const) if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1;
  if (a.prerelease.length === 0 || b.prerelease.length === 0)
    return a.prerelease.length === b.prerelease.length ? 0 : a.prerelease.length === 0 ? 1 : -1;
  for (const [i, left] of a.prerelease.entries()) {
    const right = b.prerelease[i];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.prerelease.length < b.prerelease.length ? -1 : 0;
}

/** Numbers are compared as such, and come before words. */
function compareIdentifiers(a: string, b: string): -1 | 0 | 1 {
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left !== right) return left ? -1 : 1;
  if (left && a.length !== b.length) return a.length < b.length ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}
