/**
 * Load balancers on one machine: each service of type LoadBalancer gets an address of a range that only this machine routes. The proxy's rules lead
 * it to the endpoints, so nothing else is needed.
 */
import { keyOf } from '../../api/object.ts';
import type { LoadBalancerIngress, Service } from '../../api/types/index.ts';
import { formatIp, parseCidr, parseIp } from '../../api/validation/ip.ts';
import { isConflict, isNotFound } from '../../base/errors.ts';
import { type Controller, watch } from '../../controller/contract.ts';

export interface LoadBalancerOptions {
  /** Where addresses come from; its network address and the first one (the machine's own) are left out. */
  readonly cidr: string;
}

/** Services with a class of their own are somebody else's. */
const isOurs = (service: Service) =>
  service.spec.type === 'LoadBalancer' && !service.spec.loadBalancerClass && !service.metadata.deletionTimestamp;
const ingressOf = (service: Service): LoadBalancerIngress[] => service.status?.loadBalancer?.ingress ?? [];

/** The address asked for when it is free, else the lowest free one. Undefined when none is left. Pure. */
export function chooseAddress(cidr: string, taken: ReadonlySet<string>, wanted?: string): string | undefined {
  const range = parseCidr(cidr);
  if (!range) return undefined;
  const size = 1n << BigInt((range.family === 4 ? 32 : 128) - range.prefix);
  const wantedIp = wanted === undefined || wanted === '' ? undefined : parseIp(wanted);
  if (
    wantedIp &&
    wantedIp.value > range.network + 1n &&
    wantedIp.value < range.network + size &&
    !taken.has(formatIp(wantedIp))
  )
    return formatIp(wantedIp);
  for (let offset = 2n; offset < size - 1n; offset++) {
    const candidate = formatIp({ family: range.family, value: range.network + offset });
    if (!taken.has(candidate)) return candidate;
  }
  return undefined;
}

export function localLoadBalancerController(options: LoadBalancerOptions): Controller {
  return {
    name: 'service-lb-controller',
    component: 'service-controller',
    setUp({ client, informers, recorder }) {
      const services = informers.informer('v1/services');
      const given = new Map<string, string>();

      function taken(except: string): Set<string> {
        const addresses = services.store
          .list()
          .flatMap(s => (keyOf(s) === except ? [] : ingressOf(s).map(i => i.ip ?? '')));
        return new Set([...addresses, ...[...given].filter(([key]) => key !== except).map(([, address]) => address)]);
      }

      async function setIngress(service: Service, ingress: LoadBalancerIngress[]): Promise<void> {
        const status = { ...service.status, loadBalancer: ingress.length > 0 ? { ingress } : {} };
        await client.services(service.metadata.namespace).updateStatus({ ...service, status });
      }

      return {
        sources: [watch<'v1/services'>(services, service => [keyOf(service)])],
        concurrency: 1,
        async reconcile(key) {
          const service = services.store.get(key);
          if (!service || !isOurs(service)) {
            given.delete(key);
            const leftOver = service && service.spec.type !== 'LoadBalancer' && ingressOf(service).length > 0;
            if (leftOver) await setIngress(service, []);
            return;
          }
          const present = ingressOf(service)[0]?.ip;
          const busy = taken(key);
          if (present !== undefined && !busy.has(present)) return;
          const address = chooseAddress(options.cidr, busy, service.spec.loadBalancerIP);
          if (address === undefined) {
            recorder.event(
              service,
              'Warning',
              'SyncLoadBalancerFailed',
              `Error syncing load balancer: no address is left in ${options.cidr}`,
            );
            return { requeueAfter: 60_000 };
          }
          given.set(key, address);
          try {
            await setIngress(service, [{ ip: address, ipMode: 'VIP' }]);
            recorder.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
          } catch (error) {
            given.delete(key);
            if (!isNotFound(error) && !isConflict(error)) throw error;
          }
          return;
        },
      };
    },
  };
}
