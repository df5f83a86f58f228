/** What a node is: told by the host once, shown in its API object. */
export interface Machine {
  hostname: string;
  /** The node's own addresses, primary first. */
  addresses: readonly string[];
  cpus: number;
  memoryBytes: number;
  /** Of the file system that holds pods and images. */
  storageBytes: number;
  /** Go's names: amd64, arm64. */
  architecture: string;
  kernelVersion: string;
  osImage: string;
  machineId: string;
  systemUuid: string;
  bootId: string;
  swapBytes: number;
  /** Quantities by resource: `hugepages-2Mi`. */
  hugePages?: Readonly<Record<string, string>>;
}

/** A simulated node: 32 CPUs, 256 GiB, like kwok's. */
export function simulatedMachine(name: string, address: string): Machine {
  return {
    hostname: name,
    addresses: [address],
    cpus: 32,
    memoryBytes: 256 * 2 ** 30,
    storageBytes: 1024 * 2 ** 30,
    architecture: 'amd64',
    kernelVersion: '6.1.0',
    osImage: 'simulated',
    machineId: name,
    systemUuid: name,
    bootId: name,
    swapBytes: 0,
  };
}
