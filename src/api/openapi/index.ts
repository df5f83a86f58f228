/** OpenAPI documents from the catalog and the definitions of custom resources. */
import { openApiV3Paths } from './documents.ts';
import type { Json, OpenApiSource } from './source.ts';

export { openApiV2, openApiV3, openApiV3Paths } from './documents.ts';
export { encodeOpenApiV2 } from './gnostic.ts';
export type { CustomResource, Docs, OpenApiSource } from './source.ts';

/** The index at /openapi/v3. `hashOf` gives the hash of a group version's document, which clients cache by. */
export function openApiV3Index(source: OpenApiSource, hashOf: (path: string) => string): Json {
  const paths = openApiV3Paths(source).map(path => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(path)}` },
  ]);
  return { paths: Object.fromEntries(paths) };
}

/** 128 bits that change with the bytes: good for ETags, not for secrets (FNV-1a over four lanes). */
export function contentHash(bytes: Uint8Array): string {
  const lanes = [0x811c9dc5, 0x050c5d1f, 0x9747b28c, 0x1b873593];
  for (let i = 0; i < bytes.length; i++) {
    const lane = i & 3;
    lanes[lane] = Math.imul((lanes[lane] ?? 0) ^ (bytes[i] ?? 0), 0x01000193) ^ ((lanes[(lane + 1) & 3] ?? 0) >>> 15);
  }
  return lanes
    .map(n => (n >>> 0).toString(16).padStart(8, '0'))
    .join('')
    .toUpperCase();
}
