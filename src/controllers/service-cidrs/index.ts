/** Keeps service ranges until no address needs them, and tells that they are ready (pkg/controller/servicecidrs of v1.35). */
import type { IPAddress, ServiceCIDR } from '../../api/types/networking-v1.ts';
import { type Cidr, cidrContains, parseCidr, parseIp } from '../../api/validation/ip.ts';
import { rfc3339 } from '../../base/clock.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { conditionOf, withCondition } from '../support/conditions.ts';
import { setFinalizer } from '../support/finalizers.ts';

const finalizer = 'networking.k8s.io/service-cidr-finalizer';
/** A range that goes stays so long, that addresses given out meanwhile are seen (upstream's deletionGracePeriod). */
const graceMs = 10_000;

const rangesOf = ({ spec }: ServiceCIDR): Cidr[] =>
  (spec?.cidrs ?? []).map(parseCidr).filter(cidr => cidr !== undefined);
const isWithin = (cidr: Cidr, other: Cidr) =>
  cidr.family === other.family && cidr.prefix >= other.prefix && cidrContains(other, { ...parseNetwork(cidr) });
function parseNetwork(cidr: Cidr) {
  return { family: cidr.family, value: cidr.network } as Parameters<typeof cidrContains>[1];
}

/** May the range go? Yes when others that stay hold every address that it holds. */
export function isDisposable(
  range: ServiceCIDR,
  others: readonly ServiceCIDR[],
  addresses: readonly IPAddress[],
): boolean {
  const staying = others
    .filter(o => o.metadata.name !== range.metadata.name && !o.metadata.deletionTimestamp)
    .flatMap(rangesOf);
  const own = rangesOf(range).filter(cidr => !staying.some(other => isWithin(cidr, other)));
  return !addresses.some(({ metadata }) => {
    const ip = parseIp(metadata.name);
    if (!ip || !own.some(cidr => cidrContains(cidr, ip))) return false;
    return !staying.some(cidr => cidrContains(cidr, ip));
  });
}

export const serviceCidrsController: Controller = {
  name: 'service-cidr-controller',
  account: 'service-cidrs-controller',
  aliases: ['service-cidrs'],
  setUp({ informers, client, clock }) {
    const ranges = informers.informer('networking.k8s.io/v1/servicecidrs');
    const addresses = informers.informer('networking.k8s.io/v1/ipaddresses');
    const going = () =>
      ranges.store
        .list()
        .filter(r => r.metadata.deletionTimestamp)
        .map(r => r.metadata.name);

    async function setReady(range: ServiceCIDR, status: 'True' | 'False', reason: string, message: string) {
      const condition = { type: 'Ready', status, reason, message, lastTransitionTime: rfc3339(clock.now()) };
      const conditions = withCondition(range.status?.conditions, condition, clock.now());
      if (conditions === range.status?.conditions) return;
      await client.servicecidrs().updateStatus({ ...range, status: { ...range.status, conditions } });
    }

    return {
      sources: [
        watch<'networking.k8s.io/v1/servicecidrs'>(ranges, (range, _old, kind) =>
          kind === 'delete' || range.metadata.deletionTimestamp
            ? [range.metadata.name, ...going()]
            : [range.metadata.name],
        ),
        watch<'networking.k8s.io/v1/ipaddresses'>(addresses, (_address, _old, kind) =>
          kind === 'delete' ? going() : [],
        ),
      ],
      async reconcile(name) {
        const range = ranges.store.get(name);
        if (!range) return;
        if (!range.metadata.deletionTimestamp) {
          if (!range.metadata.finalizers?.includes(finalizer))
            return setFinalizer(client.servicecidrs(), range, finalizer, true);
          return setReady(range, 'True', '', 'Kubernetes Service CIDR is ready');
        }
        if (!range.metadata.finalizers?.includes(finalizer)) return;
        if (!isDisposable(range, ranges.store.list(), addresses.store.list()))
          return setReady(
            range,
            'False',
            'Terminating',
            'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
          );
        const left = Date.parse(range.metadata.deletionTimestamp) + graceMs - clock.now();
        if (left > 0 && conditionOf(range.status?.conditions, 'Ready')?.status !== 'False')
          return { requeueAfter: left };
        await setFinalizer(client.servicecidrs(), range, finalizer, false);
        return;
      },
    };
  },
};
