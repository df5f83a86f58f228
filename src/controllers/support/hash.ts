import { safeEncode } from '../../base/random.ts';

/** JSON with sorted keys: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`);
  return `{${fields.join(',')}}`;
}

/** 32-bit FNV-1a over UTF-8. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/**
 * A short name for a value, safe in names and label values; `collisions` makes another for the same value. The method is upstream's
 * ComputeHash; the digits differ from it, because upstream hashes Go's memory layout, and no client may rely on them.
 */
export function shortHash(value: unknown, collisions?: number): string {
  return safeEncode(String(fnv1a(canonicalJson(value) + (collisions === undefined ? '' : `#${collisions}`))));
}
