/** What happens with a Service's addresses and ports when it is written (upstream: pkg/registry/core/service/storage/alloc.go). */
import type { Unstructured } from '../../api/object.ts';
import type { Service } from '../../api/types/core-v1.ts';
import { errors, messageOf } from '../../base/errors.ts';
import { isHeadless, needsClusterIp } from '../registry/core/service/cluster-ips.ts';
import { allocatesNodePorts, mayHaveNodePorts } from '../registry/core/service/update.ts';
import { needsHealthCheck } from '../registry/core/service/validate.ts';
import { aggregate, type FieldError, field } from '../registry/field-errors.ts';
import type { Hooks, Reservation } from '../server/scope.ts';
import type { AddressAllocator, Family, ServiceName } from './addresses.ts';
import { fillFamilies, keepsFamilies } from './families.ts';
import type { PortAllocator } from './ports.ts';

export interface ServiceAllocators {
  readonly addresses: AddressAllocator;
  readonly ports: PortAllocator;
}

const typed = (obj: Unstructured) => obj as unknown as Service;

function refuse(service: Service, ...invalid: readonly FieldError[]): never {
  const { causes, message } = aggregate(invalid);
  throw errors.invalid({ group: '', kind: 'Service' }, service.metadata.name, causes, message);
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

/** Addresses stay as they are: an update only adds the second one (upstream: updateClusterIPs). */
function firstToAllocate({ spec }: Service, old: Service | undefined): number {
  if (!needsClusterIp(spec) || isHeadless(spec)) return Infinity;
  if (!old || !needsClusterIp(old.spec)) return 0;
  const grows = !isHeadless(old.spec) && old.spec.ipFamilies?.length === 1 && spec.ipFamilies?.length === 2;
  return grows ? 1 : Infinity;
}

async function allocateIps(
  service: Service,
  old: Service | undefined,
  { addresses }: ServiceAllocators,
  dryRun: boolean,
  book: Ledger,
): Promise<void> {
  const { spec } = service;
  const first = firstToAllocate(service, old);
  if (first === Infinity) return;
  const owner = nameOf(service);
  const asked = spec.clusterIPs ?? [];
  const ips = asked.slice(0, first);
  for (const [i, family] of ((spec.ipFamilies ?? []) as Family[]).entries()) {
    if (i < first) continue;
    const wanted = asked[i];
    if (wanted) {
      await addresses
        .exactly(wanted, owner, dryRun)
        .catch(e => refuse(service, field.invalid('spec.clusterIPs', asked, messageOf(e))));
    }
    const ip = wanted || (await addresses.any(family, owner, dryRun));
    ips.push(ip);
    book.ips.push(ip);
  }
  spec.clusterIPs = ips;
  if (ips[0] !== undefined) spec.clusterIP = ips[0];
}

const nameOf = ({ metadata }: Service): ServiceName => ({ namespace: metadata.namespace ?? '', name: metadata.name });

/** Takes and gives numbers of one service; those that it has already are not taken again. */
function claims(service: Service, old: Service | undefined, ports: PortAllocator, dryRun: boolean, book: Ledger) {
  const owner = nameOf(service);
  const mine = new Set(old ? heldPorts(old) : []);
  const hold = (port: number) => {
    mine.add(port);
    book.taken.push(port);
    return port;
  };
  return {
    any: async () => hold(await ports.any(owner, dryRun)),
    async exactly(port: number) {
      if (mine.has(port)) return;
      await ports.exactly(port, owner, dryRun);
      hold(port);
    },
  };
}
type Claims = ReturnType<typeof claims>;

/** In a new service, ports of one number share a node port, whatever their protocols. */
async function allocateNodePorts(service: Service, old: Service | undefined, claim: Claims): Promise<void> {
  const { spec } = service;
  if (!mayHaveNodePorts(spec)) return;
  const shared = new Map<number, number>();
  if (!old)
    for (const { port, nodePort } of spec.ports ?? []) if (nodePort && !shared.has(port)) shared.set(port, nodePort);
  for (const [i, port] of (spec.ports ?? []).entries()) {
    if (!port.nodePort && !allocatesNodePorts(spec)) continue;
    const wanted = port.nodePort || shared.get(port.port);
    if (wanted) {
      const path = `spec.ports[${i}].nodePort`;
      await claim.exactly(wanted).catch(e => refuse(service, field.invalid(path, wanted, messageOf(e))));
    }
    port.nodePort = wanted || (await claim.any());
    if (!old && !shared.has(port.port)) shared.set(port.port, port.nodePort);
  }
}

async function allocateHealthCheckPort({ spec }: Service, old: Service | undefined, claim: Claims): Promise<void> {
  if (!needsHealthCheck(spec) || (old && needsHealthCheck(old.spec))) return;
  const wanted = spec.healthCheckNodePort;
  if (wanted) {
    await claim.exactly(wanted).catch(e => {
      throw errors.internal(`failed to allocate requested HealthCheck NodePort ${wanted}: ${messageOf(e)}`);
    });
  }
  spec.healthCheckNodePort = wanted || (await claim.any());
}

export function heldIps({ spec }: Service): string[] {
  return (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])).filter(ip => ip !== 'None' && ip !== '');
}
export function heldPorts({ spec }: Service): number[] {
  const ports = (spec.ports ?? []).flatMap(p => (p.nodePort ? [p.nodePort] : []));
  return [...new Set([...ports, ...(spec.healthCheckNodePort ? [spec.healthCheckNodePort] : [])])];
}

export function serviceHooks(allocators: ServiceAllocators): Hooks {
  const release = async (ips: readonly string[], ports: readonly number[]) => {
    for (const ip of ips) await allocators.addresses.release(ip);
    for (const port of ports) await allocators.ports.release(port);
  };
  async function allocate(service: Service, old: Service | undefined, dryRun: boolean): Promise<Ledger> {
    const invalid = fillFamilies(service, old, allocators.addresses.families());
    if (invalid.length > 0) refuse(service, ...invalid);
    const book = ledger(allocators, dryRun);
    try {
      if (!keepsFamilies(service, old)) {
        await allocateIps(service, old, allocators, dryRun, book);
      }
      const claim = claims(service, old, allocators.ports, dryRun, book);
      await allocateNodePorts(service, old, claim);
      await allocateHealthCheckPort(service, old, claim);
    } catch (e) {
      await book.undo();
      throw e;
    }
    return book;
  }
  return {
    async beginCreate(obj, _scope, dryRun): Promise<Reservation> {
      const book = await allocate(typed(obj), undefined, dryRun);
      return { undo: () => book.undo() };
    },
    async beginUpdate(obj, old, _scope, dryRun): Promise<Reservation> {
      const service = typed(obj);
      const before = typed(old);
      const book = await allocate(service, before, dryRun);
      const ips = heldIps(before).filter(ip => !heldIps(service).includes(ip));
      const ports = heldPorts(before).filter(port => !heldPorts(service).includes(port));
      return { undo: () => book.undo(), done: () => release(ips, ports) };
    },
    async afterDelete(obj) {
      await release(heldIps(typed(obj)), heldPorts(typed(obj)));
    },
  };
}
