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
  /** Where addresses come from, one range per family; its network address and the first one (the machine's own) are left out. */
  readonly cidrs: readonly string[];
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
    wantedIp?.family === range.family &&
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

/** One address per family of the service that has a range: those it has where they are its alone, new ones otherwise. Pure. */
export function chooseAddresses(
  service: Service,
  cidrs: readonly string[],
  present: readonly string[],
  taken: ReadonlySet<string>,
): { readonly addresses: readonly string[]; readonly exhausted?: string } {
  const families = service.spec.ipFamilies ?? ['IPv4'];
  const addresses: string[] = [];
  for (const family of families) {
    const isOfFamily = (text: string) => text.includes(':') === (family === 'IPv6');
    const cidr = cidrs.find(isOfFamily);
    if (cidr === undefined) continue;
    const kept = present.find(ip => ip !== '' && isOfFamily(ip) && !taken.has(ip));
    const address = kept ?? chooseAddress(cidr, taken, service.spec.loadBalancerIP);
    if (address === undefined) return { addresses, exhausted: cidr };
    addresses.push(address);
  }
  return { addresses };
}

export function localLoadBalancerController(options: LoadBalancerOptions): Controller {
  return {
    name: 'service-lb-controller',
    account: 'service-controller',
    component: 'service-controller',
    setUp({ client, informers, recorder }) {
      const services = informers.informer('v1/services');
      const given = new Map<string, readonly string[]>();

      function taken(except: string): Set<string> {
        const addresses = services.store
          .list()
          .flatMap(s => (keyOf(s) === except ? [] : ingressOf(s).map(i => i.ip ?? '')));
        return new Set([...addresses, ...[...given].flatMap(([key, own]) => (key === except ? [] : own))]);
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
          const present = ingressOf(service).map(i => i.ip ?? '');
          const wanted = chooseAddresses(service, options.cidrs, present, taken(key));
          if (wanted.exhausted !== undefined) {
            recorder.event(
              service,
              'Warning',
              'SyncLoadBalancerFailed',
              `Error syncing load balancer: no address is left in ${wanted.exhausted}`,
            );
            return { requeueAfter: 60_000 };
          }
          if (wanted.addresses.join() === present.join()) return;
          given.set(key, wanted.addresses);
          try {
            await setIngress(
              service,
              wanted.addresses.map(ip => ({ ip, ipMode: 'VIP' })),
            );
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
