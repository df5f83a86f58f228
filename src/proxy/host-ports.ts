/** Host ports of this node's pods as frontends: the CNI plugin for them needs iptables, which a host may not have. Pure. */
import type { Pod } from '../api/types/index.ts';
import type { Frontend, Protocol } from './model.ts';

const anyAddress = new Set(['', '0.0.0.0', '::']);

/** The frontends of a pod that runs; none for one that is over or that uses the node's own network. */
export function hostPortFrontends(pod: Pod): Frontend[] {
  const { spec, status } = pod;
  if (spec.hostNetwork || status?.phase === 'Succeeded' || status?.phase === 'Failed') return [];
  const sidecars = (spec.initContainers ?? []).filter(container => container.restartPolicy === 'Always');
  const ports = [...sidecars, ...spec.containers].flatMap(container => container.ports ?? []);
  return (status?.podIPs ?? []).flatMap(({ ip }) =>
    ports.flatMap((port): Frontend[] => {
      const family = ip.includes(':') ? 'ip6' : 'ip';
      const address = port.hostIP ?? '';
      if (!port.hostPort || (!anyAddress.has(address) && address.includes(':') !== (family === 'ip6'))) return [];
      return [
        {
          ...(!anyAddress.has(address) && { address }),
          family,
          protocol: (port.protocol ?? 'TCP').toLowerCase() as Protocol,
          port: port.hostPort,
          backends: [{ ip, port: port.containerPort }],
          preserveSource: true,
          hostPort: true,
          whenEmpty: 'reject',
        },
      ];
    }),
  );
}
