/** What happens with a Service's addresses and ports when it is written (upstream: pkg/registry/core/service/storage/alloc.go). */
import type { Unstructured } from '../../api/object.ts';
import type { Service, ServiceSpec } from '../../api/types/core-v1.ts';
import { errors, messageOf } from '../../base/errors.ts';
import { aggregate, type FieldError, field } from '../registry/field-errors.ts';
import type { Hooks, Reservation } from '../server/scope.ts';
import { type AddressAllocator, type Family, familyOfIp, type ServiceName } from './addresses.ts';
import type { PortAllocator } from './ports.ts';

export interface ServiceAllocators {
  readonly addresses: AddressAllocator;
  readonly ports: PortAllocator;
}

const typed = (obj: Unstructured) => obj as unknown as Service;
const headless = (spec: ServiceSpec) => spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
const needsNodePort = (spec: ServiceSpec) =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
const needsHealthCheck = (spec: ServiceSpec) => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

function refuse(service: Service, error: FieldError): never {
  const { causes, message } = aggregate([error]);
  throw errors.invalid({ group: '', kind: 'Service' }, service.metadata.name, causes, message);
}

const otherFamily = (family: Family): Family => (family === 'IPv4' ? 'IPv6' : 'IPv4');

/** Fills ipFamilyPolicy and ipFamilies from what was asked and what the cluster has. */
function defaultFamilies(service: Service, available: readonly Family[]): void {
  const { spec } = service;
  if (spec.type === 'ExternalName') return;
  const [first = 'IPv4'] = available;
  const fromIps = (spec.clusterIPs ?? []).filter(ip => ip !== 'None').map(familyOfIp);
  const asked = (spec.ipFamilies ?? []) as Family[];
  if (headless(spec) && Object.keys(spec.selector ?? {}).length === 0) {
    // Nobody knows what such a service will lead to: both families, whatever the cluster has.
    spec.ipFamilyPolicy ??= asked.length === 1 ? 'SingleStack' : 'RequireDualStack';
    if (asked.length === 0) spec.ipFamilies = [first];
    if (spec.ipFamilyPolicy !== 'SingleStack' && spec.ipFamilies?.length === 1)
      spec.ipFamilies = [...spec.ipFamilies, otherFamily(spec.ipFamilies[0] as Family)];
    return;
  }
  asked.forEach((family, i) => {
    if (!available.includes(family))
      refuse(service, field.invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster'));
  });
  spec.ipFamilyPolicy ??= fromIps.length === 2 || asked.length === 2 ? 'RequireDualStack' : 'SingleStack';
  if (spec.ipFamilyPolicy === 'RequireDualStack' && available.length < 2)
    refuse(
      service,
      field.invalid(
        'spec.ipFamilyPolicy',
        spec.ipFamilyPolicy,
        'this cluster is not configured for dual-stack services',
      ),
    );
  const families: Family[] = [...asked];
  for (const [i, family] of fromIps.entries()) families[i] ??= family;
  if (families.length === 0) families.push(first);
  if (spec.ipFamilyPolicy !== 'SingleStack' && families.length === 1) {
    const second = otherFamily(families[0] as Family);
    if (available.includes(second)) families.push(second);
  }
  spec.ipFamilies = spec.ipFamilyPolicy === 'SingleStack' ? families.slice(0, 1) : families;
}

/** Collects what was taken, to give it back. */
function ledger({ addresses, ports }: ServiceAllocators, dryRun: boolean) {
  const ips: string[] = [];
  const taken: number[] = [];
  return {
    ips,
    taken,
    async undo() {
      if (dryRun) return;
      for (const ip of ips) await addresses.release(ip);
      for (const port of taken) await ports.release(port);
    },
  };
}
type Ledger = ReturnType<typeof ledger>;

async function allocateIps(
  service: Service,
  present: readonly string[],
  { addresses }: ServiceAllocators,
  dryRun: boolean,
  book: Ledger,
): Promise<void> {
  const { spec } = service;
  if (spec.type === 'ExternalName' || headless(spec)) return;
  const owner = nameOf(service);
  const asked = spec.clusterIPs ?? [];
  const ips: string[] = [];
  for (const [i, family] of ((spec.ipFamilies ?? []) as Family[]).entries()) {
    const wanted = asked[i];
    if (wanted && present.includes(wanted)) ips.push(wanted);
    else if (wanted) {
      await addresses
        .exactly(wanted, owner, dryRun)
        .catch(e => refuse(service, field.invalid('spec.clusterIPs', asked, messageOf(e))));
      ips.push(wanted);
      book.ips.push(wanted);
    } else {
      const ip = await addresses.any(family, owner, dryRun);
      ips.push(ip);
      book.ips.push(ip);
    }
  }
  spec.clusterIPs = ips;
  if (ips[0] !== undefined) spec.clusterIP = ips[0];
}

const nameOf = ({ metadata }: Service): ServiceName => ({ namespace: metadata.namespace ?? '', name: metadata.name });

async function allocatePorts(
  service: Service,
  present: ReadonlySet<number>,
  { ports }: ServiceAllocators,
  dryRun: boolean,
  book: Ledger,
): Promise<void> {
  const { spec } = service;
  const owner = nameOf(service);
  /** One number may serve several protocols of the same port. */
  const mine = new Set<number>(present);
  const claim = async (port: number, path: string) => {
    if (mine.has(port)) return;
    await ports.exactly(port, owner, dryRun).catch(e => refuse(service, field.invalid(path, port, messageOf(e))));
    mine.add(port);
    book.taken.push(port);
  };
  if (needsNodePort(spec) || spec.ports?.some(p => p.nodePort)) {
    const byPort = new Map<number, number>();
    for (const [i, port] of (spec.ports ?? []).entries()) {
      if (port.nodePort) await claim(port.nodePort, `spec.ports[${i}].nodePort`);
      else if (needsNodePort(spec)) {
        const shared = byPort.get(port.port);
        port.nodePort = shared ?? (await ports.any(owner, dryRun));
        if (shared === undefined) book.taken.push(port.nodePort);
        mine.add(port.nodePort);
      }
      if (port.nodePort) byPort.set(port.port, port.nodePort);
    }
  }
  if (!needsHealthCheck(spec)) return;
  if (spec.healthCheckNodePort) await claim(spec.healthCheckNodePort, 'spec.healthCheckNodePort');
  else {
    spec.healthCheckNodePort = await ports.any(owner, dryRun);
    book.taken.push(spec.healthCheckNodePort);
  }
}

export function heldIps({ spec }: Service): string[] {
  return (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])).filter(ip => ip !== 'None' && ip !== '');
}
export function heldPorts({ spec }: Service): number[] {
  const ports = (spec.ports ?? []).flatMap(p => (p.nodePort ? [p.nodePort] : []));
  return [...new Set([...ports, ...(spec.healthCheckNodePort ? [spec.healthCheckNodePort] : [])])];
}

const external = (spec: ServiceSpec) =>
  needsNodePort(spec) || spec.type === 'LoadBalancer' || (spec.externalIPs?.length ?? 0) > 0;
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** A new type drops what only the old one needed, unless the client changed it, too (upstream: dropTypeDependentFields). */
function dropTypeDependent(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.type === 'ExternalName' && old.type !== 'ExternalName') {
    if (same(spec.clusterIP, old.clusterIP) && same(spec.clusterIPs, old.clusterIPs)) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (same(spec.ipFamilies, old.ipFamilies)) delete spec.ipFamilies;
    if (same(spec.ipFamilyPolicy, old.ipFamilyPolicy)) delete spec.ipFamilyPolicy;
    if (same(spec.internalTrafficPolicy, old.internalTrafficPolicy)) delete spec.internalTrafficPolicy;
  }
  if (needsNodePort(old) && !needsNodePort(spec)) {
    const before = new Set((old.ports ?? []).map(p => p.nodePort));
    for (const port of spec.ports ?? []) if (before.has(port.nodePort)) delete port.nodePort;
  }
  if (needsHealthCheck(old) && !needsHealthCheck(spec) && spec.healthCheckNodePort === old.healthCheckNodePort)
    delete spec.healthCheckNodePort;
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts)
      delete spec.allocateLoadBalancerNodePorts;
    if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
  }
  if (external(old) && !external(spec) && spec.externalTrafficPolicy === old.externalTrafficPolicy)
    delete spec.externalTrafficPolicy;
}

export function serviceHooks(allocators: ServiceAllocators): Hooks {
  const release = async (ips: readonly string[], ports: readonly number[]) => {
    for (const ip of ips) await allocators.addresses.release(ip);
    for (const port of ports) await allocators.ports.release(port);
  };
  async function allocate(
    service: Service,
    ips: readonly string[],
    ports: readonly number[],
    dryRun: boolean,
  ): Promise<Ledger> {
    const book = ledger(allocators, dryRun);
    try {
      defaultFamilies(service, allocators.addresses.families());
      await allocateIps(service, ips, allocators, dryRun, book);
      await allocatePorts(service, new Set(ports), allocators, dryRun, book);
    } catch (e) {
      await book.undo();
      throw e;
    }
    return book;
  }
  return {
    async beginCreate(obj, _scope, dryRun): Promise<Reservation> {
      const book = await allocate(typed(obj), [], [], dryRun);
      return { undo: () => book.undo() };
    },
    async beginUpdate(obj, old, _scope, dryRun): Promise<Reservation> {
      const service = typed(obj);
      const before = typed(old);
      dropTypeDependent(service.spec, before.spec);
      const book = await allocate(service, heldIps(before), heldPorts(before), dryRun);
      const ips = heldIps(before).filter(ip => !heldIps(service).includes(ip));
      const ports = heldPorts(before).filter(port => !heldPorts(service).includes(port));
      return { undo: () => book.undo(), done: () => release(ips, ports) };
    },
    async afterDelete(obj) {
      await release(heldIps(typed(obj)), heldPorts(typed(obj)));
    },
  };
}
