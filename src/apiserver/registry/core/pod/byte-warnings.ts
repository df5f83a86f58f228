/** Amounts of bytes that are not whole. */
import { formatQuantity, tryParseQuantity } from '../../../../api/quantity.ts';
import type { PersistentVolumeClaimSpec } from '../../../../api/types/core-v1.ts';

const NANO = 1_000_000_000n;
type Resources = Readonly<Record<string, string>>;

function fractionWarnings(list: Resources | undefined, path: string, names: readonly string[]): string[] {
  return names.flatMap(name => {
    const quantity = tryParseQuantity(list?.[name]);
    return quantity && quantity.nano % NANO !== 0n
      ? [
          `${path}[${name}]: fractional byte value ${JSON.stringify(formatQuantity(quantity))} is invalid, must be an integer`,
        ]
      : [];
  });
}

/** Memory and disk of a container or of a pod's overhead. */
export const byteWarnings = (list: Resources | undefined, path: string): string[] =>
  fractionWarnings(list, path, ['memory', 'ephemeral-storage']);

/** The storage that a claim asks for (GetWarningsForPersistentVolumeClaimSpec). */
export function claimSpecWarnings(spec: PersistentVolumeClaimSpec | undefined, path: string): string[] {
  return (['requests', 'limits'] as const).flatMap(key =>
    fractionWarnings(spec?.resources?.[key], `${path}.resources.${key}`, ['storage']),
  );
}
