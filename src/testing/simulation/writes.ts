/** Optimistic concurrency: a write that names a revision replaces that revision and no other, and a creation replaces nothing. */
import type { KubeObject } from '../../api/object.ts';
import type { ApiResponse } from '../../api/transport.ts';
import type { SeenRequest } from './network.ts';
import { objectOf, type Records } from './records.ts';
import type { Report } from './watches.ts';

const decoder = new TextDecoder();

function parse(bytes: unknown): KubeObject | undefined {
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    return JSON.parse(decoder.decode(bytes)) as KubeObject;
  } catch {
    return undefined;
  }
}

/** Holds what an update or a creation did against what was there before it. */
export function checkWrite(request: SeenRequest, response: ApiResponse, records: Records, report: Report): void {
  const { method, path, query, part } = request;
  if ((method !== 'PUT' && method !== 'POST') || response.status >= 300 || query.has('dryRun')) return;
  const [sent, stored] = [parse(request.body)?.metadata, parse(response.body)?.metadata];
  const revision = Number(stored?.resourceVersion ?? 0);
  const meant = Number(sent?.resourceVersion ?? 0);
  if (revision === 0 || revision === meant) return;
  records.once(revision, () => {
    const [entry] = records.between(revision - 1, revision).filter(one => objectOf(one)?.metadata?.uid === stored?.uid);
    if (!entry) return;
    const replaced = entry.previous?.revision ?? 0;
    // Updates may leave the revision out; then they replace whatever there is.
    if (method === 'PUT' && meant !== 0 && replaced !== meant)
      report(`${part} meant to replace revision ${meant} of ${path}, and replaced ${replaced}`);
    if (
      method === 'POST' &&
      replaced !== 0 &&
      stored?.name === sent?.name &&
      !/\/[^/]+\/(binding|eviction)$/.test(path)
    )
      report(`${part} created ${path} anew over revision ${replaced}`);
  });
}
