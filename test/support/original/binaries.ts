/** The original's programs, for comparison: `TSUKUBE_UPSTREAM_BIN` names a folder that has them. The recorded answers are those of 1.20. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export type Component = 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** Path of each program, or the reason why they cannot be had here. */
export function originalBinaries(
  components: readonly Component[],
): { paths: Record<Component, string> } | { missing: string } {
  const folder = process.env['TSUKUBE_UPSTREAM_BIN'];
  if (!folder) return { missing: `TSUKUBE_UPSTREAM_BIN names no folder with ${components.join(', ')}` };
  const lacking = components.filter(name => !existsSync(join(folder, name)));
  if (lacking.length > 0) return { missing: `${folder} has no ${lacking.join(', ')}` };
  return { paths: Object.fromEntries(components.map(name => [name, join(folder, name)])) as Record<Component, string> };
}
