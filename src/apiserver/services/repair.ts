/** Gives back addresses and ports whose service is gone, and takes those that a service holds without a record (after a crash or a restore). */
import type { Service } from '../../api/types/core-v1.ts';
import type { IPAddress } from '../../api/types/networking-v1.ts';
import { isAlreadyExists, messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import type { Core } from '../server/scope.ts';
import type { KindCache } from '../storage/kind-cache.ts';
import { addressObject } from './addresses.ts';
import { heldIps, heldPorts } from './hooks.ts';
import type { PortAllocator, PortRecord } from './ports.ts';

/** A fresh record may belong to a service that is just being made. */
const graceMs = 60_000;
const intervalMs = 180_000;

export interface RepairInputs {
  readonly core: Core;
  readonly client: Client;
  readonly services: KindCache;
  readonly addresses: KindCache;
  readonly portRecords: KindCache;
  readonly ports: PortAllocator;
}

async function repairOnce({ core, client, services, addresses, portRecords, ports }: RepairInputs): Promise<void> {
  const ips = new Map<string, Service>();
  const nodePorts = new Map<number, Service>();
  for (const entry of services.root.values()) {
    const service = entry.object() as unknown as Service;
    for (const ip of heldIps(service)) ips.set(ip, service);
    for (const port of heldPorts(service)) nodePorts.set(port, service);
  }
  const objects = client.resource('networking.k8s.io/v1/ipaddresses');
  for (const entry of addresses.root.values()) {
    const address = entry.object() as unknown as IPAddress;
    const { parentRef } = address.spec;
    const age = core.clock.now() - Date.parse(address.metadata.creationTimestamp ?? '');
    if (parentRef?.resource !== 'services' || ips.has(address.metadata.name) || age < graceMs) continue;
    await objects.delete(address.metadata.name);
  }
  for (const [ip, { metadata }] of ips) {
    if (addresses.get(ip)) continue;
    await objects
      .create(addressObject(ip, { namespace: metadata.namespace ?? '', name: metadata.name }))
      .catch(ignoreTaken);
  }
  for (const entry of portRecords.root.values()) {
    const record = entry.object() as PortRecord;
    const port = Number(record.metadata.name);
    // A record has no time of its own: a port is free only if its service is there and does not hold it, or was never seen.
    const [namespace = '', name = ''] = record.service.split('/');
    if (nodePorts.has(port) || entry.modRevision > core.cacher.revision - 1_000) continue;
    if (services.get(`${namespace}/${name}`) === undefined) await ports.release(port);
  }
  for (const [port, { metadata }] of nodePorts) {
    if (portRecords.get(String(port))) continue;
    await ports.exactly(port, { namespace: metadata.namespace ?? '', name: metadata.name }, false).catch(() => {});
  }
}

function ignoreTaken(e: unknown): void {
  if (!isAlreadyExists(e)) throw e;
}

export function startRepair(inputs: RepairInputs): void {
  const { clock, log, stopping } = inputs.core;
  const run = () => {
    if (stopping.aborted) return;
    repairOnce(inputs)
      .catch(e => log.warn('service addresses and ports could not be repaired', { error: messageOf(e) }))
      .finally(() => {
        const timer = clock.setTimer(run, intervalMs, { background: true });
        stopping.addEventListener('abort', () => timer.cancel(), { once: true });
      });
  };
  run();
}
