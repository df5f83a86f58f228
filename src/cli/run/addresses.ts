/** The first address of a range: the `kubernetes` service's. */
export function firstAddress(cidr: string): string {
  const [network = ''] = cidr.split('/');
  if (network.includes(':')) return network.endsWith('::') ? `${network}1` : network.replace(/:0*$/, ':1');
  const parts = network.split('.').map(Number);
  return [...parts.slice(0, 3), (parts[3] ?? 0) + 1].join('.');
}
