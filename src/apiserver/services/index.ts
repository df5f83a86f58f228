/** Everything about Services that is more than a kind: allocation, repair, and the cluster's own service. */
import type { Client } from '../../client/contract.ts';
import type { Core, Hooks } from '../server/scope.ts';
import { kindPrefix } from '../storage/keys.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { createAddressAllocator } from './addresses.ts';
import { serviceHooks } from './hooks.ts';
import { ensureServiceCidr, runKubernetesService } from './kubernetes-service.ts';
import { createPortAllocator, type PortRange } from './ports.ts';
import { startRepair } from './repair.ts';

export const defaultServiceCidrs: readonly string[] = ['10.96.0.0/16'];

export interface ServiceMachinery {
  readonly hooks: Hooks;
  /** Called when kinds are served. */
  start(options: {
    serviceCidrs: readonly string[];
    advertise?: { readonly address: string; readonly port: number };
  }): Promise<void>;
}

export function serviceMachinery(inputs: {
  core: Core;
  client: Client;
  storage: (group: string, plural: string) => ObjectStore;
  range: PortRange;
}): ServiceMachinery {
  const { core, client, storage, range } = inputs;
  const kind = (group: string, plural: string) => core.cacher.kind(kindPrefix(group, plural));
  const addressKind = kind('networking.k8s.io', 'ipaddresses');
  const addresses = createAddressAllocator({
    client,
    random: core.random,
    addresses: addressKind,
    cidrs: kind('networking.k8s.io', 'servicecidrs'),
  });
  const portStore = storage('ranges', 'servicenodeports');
  const ports = createPortAllocator(portStore, range, core.random);
  return {
    hooks: serviceHooks({ addresses, ports }),
    async start({ serviceCidrs, advertise }) {
      await ensureServiceCidr(client, serviceCidrs);
      if (advertise)
        await runKubernetesService({
          core,
          client,
          serviceCidrs,
          advertiseAddress: advertise.address,
          port: advertise.port,
        });
      startRepair({
        core,
        client,
        services: kind('', 'services'),
        addresses: addressKind,
        portRecords: portStore.cache,
        ports,
      });
    },
  };
}
