/** The CNI configuration of this node: a bridge with addresses from the node's pod ranges, host ports and loopback. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CniOptions {
  /** Where the runtime looks for `*.conflist`. */
  readonly directory: string;
  /** The node's pod ranges, one per family. */
  readonly podCidrs: readonly string[];
  /** At most 15 characters. */
  readonly bridge: string;
  readonly mtu?: number;
  /** Where host-local keeps its leases. */
  readonly leaseDirectory: string;
}

/** The conflist as an object. Pure. */
export function cniConfiguration(options: Omit<CniOptions, 'directory'>): object {
  return {
    cniVersion: '0.4.0',
    name: options.bridge,
    plugins: [
      {
        type: 'bridge',
        bridge: options.bridge,
        isGateway: true,
        isDefaultGateway: true,
        forceAddress: false,
        ipMasq: false,
        hairpinMode: true,
        ...(options.mtu !== undefined && { mtu: options.mtu }),
        ipam: {
          type: 'host-local',
          dataDir: options.leaseDirectory,
          ranges: options.podCidrs.map(subnet => [{ subnet }]),
        },
      },
    ],
  };
}

/** Writes the configuration in one step when it differs. True when it changed. */
export function writeCniConfiguration(options: CniOptions): boolean {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const path = join(options.directory, '10-tsukube.conflist');
  const text = `${JSON.stringify(cniConfiguration(options), null, 2)}\n`;
  if (readOptional(path) === text) return false;
  writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
  return true;
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
