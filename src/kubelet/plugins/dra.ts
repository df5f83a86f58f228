/** Dynamic resource allocation on the node: claims are prepared by their drivers before a pod's containers start. Upstream: pkg/kubelet/cm/dra. */
import { mkdir } from 'node:fs/promises';
import type { Pod } from '../../api/types/core-v1.ts';
import type { ResourceClaim } from '../../api/types/resource-v1.ts';
import type { Client } from '../../client/contract.ts';
import { createCodec } from '../grpc/codec.ts';
import { createUnixClient, type UnixClient } from '../grpc/unix-client.ts';
import { type AnyContainer, uidOf } from '../pod/names.ts';
import { createCheckpoint } from './checkpoint.ts';
import type { PluginKind } from './registry.ts';

export const claimMessages = `
Claim namespace=1:s uid=2:s name=3:s
NodePrepareResourcesRequest claims=1:Claim*
Device request_names=1:s* pool_name=2:s device_name=3:s cdi_device_ids=4:s* share_id=5:s
NodePrepareResourceResponse devices=1:Device* error=2:s
PreparedEntry key=1:s value=2:NodePrepareResourceResponse
NodePrepareResourcesResponse claims=1:PreparedEntry*
NodeUnprepareResourcesRequest claims=1:Claim*
NodeUnprepareResourceResponse error=1:s
UnpreparedEntry key=1:s value=2:NodeUnprepareResourceResponse
NodeUnprepareResourcesResponse claims=1:UnpreparedEntry*
`;
/** The services that a driver may offer, best first, with the package of their messages. */
const services: readonly (readonly [version: string, service: string])[] = [
  ['v1.DRAPlugin', 'k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin'],
  ['v1beta1.DRAPlugin', 'v1beta1.DRAPlugin'],
];
const timeoutMs = 45_000;

interface Prepared {
  namespace: string;
  name: string;
  /** Names of drivers that prepared a part of it. */
  drivers: string[];
  devices: { requestNames: string[]; cdiDeviceIds: string[] }[];
  /** Uids of pods of this node that use it. */
  pods: string[];
  /** All drivers have answered. */
  done: boolean;
}
/** By the uid of the claim. */
type Claims = Record<string, Prepared>;

export interface ResourceDrivers {
  readonly kind: PluginKind;
  start(): Promise<void>;
  close(): void;
  /** Rejects while a claim is not allocated, not reserved for the pod, or its driver is not there. */
  prepare(pod: Pod): Promise<void>;
  /** CDI devices of a container. */
  devicesOf(pod: Pod, container: AnyContainer): string[];
  unprepare(podUid: string): Promise<void>;
}
export interface ResourceDriversOptions {
  directory: string;
  client: Client;
}

export function createResourceDrivers({ directory, client }: ResourceDriversOptions): ResourceDrivers {
  const codec = createCodec(claimMessages);
  const drivers = new Map<string, { client: UnixClient; service: string }>();
  const checkpoint = createCheckpoint<Claims>(`${directory}/dra_manager_state`, () => ({}));
  let claims: Claims = {};

  function driverOf(name: string) {
    const driver = drivers.get(name);
    if (!driver) throw new Error(`DRA driver ${name} is not registered`);
    return driver;
  }
  async function ask<R>(
    name: string,
    method: string,
    claim: { namespace: string; uid: string; name: string },
  ): Promise<R> {
    const driver = driverOf(name);
    const request: [string, object] = [`${method}Request`, { claims: [claim] }];
    type Reply = { claims: { key: string; value?: R & { error: string } }[] };
    const reply = await driver.client.call<Reply>(`${driver.service}/${method}`, request, `${method}Response`, {
      timeoutMs,
    });
    const answer = reply.claims.find(c => c.key === claim.uid)?.value;
    if (!answer) throw new Error(`DRA driver ${name} skipped claim ${claim.name}`);
    if (answer.error) throw new Error(`${method} failed for claim ${claim.namespace}/${claim.name}: ${answer.error}`);
    return answer;
  }
  async function prepareOne(pod: Pod, claim: ResourceClaim): Promise<void> {
    const { name = '', namespace = '', uid = '' } = claim.metadata;
    const known = claims[uid];
    if (known?.done && known.pods.includes(uidOf(pod))) return;
    const results = claim.status?.allocation?.devices?.results ?? [];
    const names = [...new Set(results.map(r => r.driver))];
    for (const driver of names) driverOf(driver);
    const own: Prepared = known ?? { namespace, name, drivers: names, devices: [], pods: [], done: false };
    if (!own.pods.includes(uidOf(pod))) own.pods.push(uidOf(pod));
    // Noted before it is done: what a kill leaves half prepared is unprepared with its pod.
    claims[uid] = own;
    await checkpoint.save(claims);
    if (own.done) return;
    own.devices = [];
    for (const driver of own.drivers) {
      const answer = await ask<{ devices: Prepared['devices'] }>(driver, 'NodePrepareResources', {
        namespace,
        uid,
        name,
      });
      own.devices.push(...answer.devices);
    }
    own.done = true;
    await checkpoint.save(claims);
  }

  return {
    kind: {
      async add({ name, endpoint, versions }) {
        const [, service] = services.find(([version]) => versions.includes(version)) ?? [];
        if (!service) throw new Error(`no supported DRA service in [${versions.join(' ')}]`);
        drivers.get(name)?.client.close();
        drivers.set(name, { client: createUnixClient(endpoint, codec), service });
      },
      remove(name) {
        drivers.get(name)?.client.close();
        drivers.delete(name);
      },
    },
    async start() {
      await mkdir(directory, { recursive: true });
      claims = await checkpoint.load();
    },
    close() {
      for (const { client: open } of drivers.values()) open.close();
    },
    async prepare(pod) {
      for (const { name: local } of pod.spec.resourceClaims ?? []) {
        const name = claimName(pod, local);
        // A template may have made none: nothing is needed then.
        if (name === undefined) continue;
        const claim = await client.resource('resource.k8s.io/v1/resourceclaims', pod.metadata.namespace).get(name);
        const reserved = claim.status?.reservedFor?.some(r => r.uid === uidOf(pod));
        if (!reserved) throw new Error(`pod ${pod.metadata.name} is not allowed to use ResourceClaim ${name}`);
        if (!claim.status?.allocation) throw new Error(`ResourceClaim ${name} is not allocated`);
        await prepareOne(pod, claim);
      }
    },
    devicesOf(pod, container) {
      const wanted = container.resources?.claims ?? [];
      const ids = wanted.flatMap(({ name: local, request }) => {
        const name = claimName(pod, local);
        const namespace = pod.metadata.namespace ?? '';
        const prepared = Object.values(claims).find(c => c.name === name && c.namespace === namespace);
        return (prepared?.devices ?? [])
          .filter(d => request === undefined || d.requestNames.some(r => r === request || r.startsWith(`${request}/`)))
          .flatMap(d => d.cdiDeviceIds);
      });
      return [...new Set(ids)];
    },
    async unprepare(podUid) {
      for (const [uid, claim] of Object.entries(claims)) {
        if (!claim.pods.includes(podUid)) continue;
        if (claim.pods.length === 1) {
          const { namespace, name } = claim;
          for (const driver of claim.drivers) await ask(driver, 'NodeUnprepareResources', { namespace, uid, name });
          delete claims[uid];
        } else claim.pods = claim.pods.filter(p => p !== podUid);
        await checkpoint.save(claims);
      }
    },
  };
}

function claimName(pod: Pod, local: string): string | undefined {
  const spec = pod.spec.resourceClaims?.find(c => c.name === local);
  if (spec?.resourceClaimName) return spec.resourceClaimName;
  return pod.status?.resourceClaimStatuses?.find(s => s.name === local)?.resourceClaimName;
}
