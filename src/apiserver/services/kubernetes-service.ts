/** `default/kubernetes`: the service that leads to all API servers. Each server holds a record in the store for as long as it lives. */
import type { Endpoints, Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { formatIp, parseCidr } from '../../api/validation/ip.ts';
import { isAlreadyExists, isConflict, isInvalid, isNotFound, messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { equalObjects } from '../server/equality.ts';
import type { Core } from '../server/scope.ts';
import { encodeStored } from '../storage/encoding.ts';
import { kindPrefix } from '../storage/keys.ts';
import { ownCidr } from './addresses.ts';

export interface KubernetesServiceOptions {
  readonly core: Core;
  readonly client: Client;
  readonly serviceCidrs: readonly string[];
  /** Where this server is reached from within the cluster. */
  readonly advertiseAddress: string;
  readonly port: number;
}

const leaseSeconds = 30;
const renewMs = 10_000;
const masterLeases = kindPrefix('', 'masterleases');
const labels = { component: 'apiserver', provider: 'kubernetes' };

export async function ensureServiceCidr(client: Client, cidrs: readonly string[]): Promise<void> {
  const objects = client.resource('networking.k8s.io/v1/servicecidrs');
  const present = await objects.get(ownCidr).catch(e => {
    if (isNotFound(e)) return undefined;
    throw e;
  });
  if (present) return;
  const created = await objects
    .create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      metadata: { name: ownCidr },
      spec: { cidrs: [...cidrs] },
    })
    .catch(ignoreTaken);
  if (!created) return;
  const message = 'Kubernetes Service CIDR is ready';
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message,
    lastTransitionTime: created.metadata.creationTimestamp ?? '',
  };
  await objects.updateStatus({ ...created, status: { conditions: [condition] } });
}

function ignoreTaken(e: unknown): undefined {
  if (!isAlreadyExists(e) && !isConflict(e)) throw e;
  return undefined;
}

function firstAddress(cidr: string): string | undefined {
  const parsed = parseCidr(cidr);
  if (!parsed) return undefined;
  return formatIp({ family: parsed.family, value: parsed.network + 1n });
}

async function ensureService(client: Client, cidrs: readonly string[], port: number): Promise<void> {
  const services = client.resource('v1/services', 'default');
  const present = await services.get('kubernetes').catch(e => {
    if (isNotFound(e)) return undefined;
    throw e;
  });
  if (present) return;
  const clusterIP = firstAddress(cidrs[0] ?? '');
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default', labels },
    spec: {
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ...(clusterIP && { clusterIP, clusterIPs: [clusterIP] }),
      ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: port }],
    },
  } satisfies Service;
  await services.create(service).catch(e => {
    // Another server holds the address because it is making the service now; the next round sees it.
    if (!isInvalid(e)) ignoreTaken(e);
  });
}

/** Writes the endpoints of the servers that are alive now. */
async function reconcileEndpoints(client: Client, addresses: readonly string[], port: number): Promise<void> {
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  const sorted = [...addresses].sort();
  const endpoints: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: [{ addresses: sorted.map(ip => ({ ip })), ports }],
  };
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'kubernetes' },
    },
    addressType: sorted[0]?.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: sorted.map(ip => ({ addresses: [ip], conditions: { ready: true } })),
    ports,
  };
  await put<Endpoints>(client.resource('v1/endpoints', 'default'), endpoints, ['subsets']);
  await put<EndpointSlice>(client.resource('discovery.k8s.io/v1/endpointslices', 'default'), slice, [
    'endpoints',
    'ports',
  ]);
}

interface Writable<T> {
  get(name: string): Promise<T>;
  create(obj: T): Promise<T>;
  update(obj: T): Promise<T>;
}

async function put<T extends Endpoints | EndpointSlice>(
  objects: Writable<T>,
  wanted: T,
  fields: readonly (keyof NoInfer<T>)[],
): Promise<void> {
  let present: T;
  try {
    present = await objects.get(wanted.metadata.name);
  } catch (e) {
    if (!isNotFound(e)) throw e;
    await objects.create(wanted).catch(ignoreTaken);
    return;
  }
  if (fields.every(f => equalObjects(present[f], wanted[f]))) return;
  await objects
    .update({ ...wanted, metadata: { ...present.metadata, labels: wanted.metadata.labels ?? {} } })
    .catch(ignoreTaken);
}

/** Registers this server, keeps its record alive, and follows the records of others until the server stops. */
export async function runKubernetesService(options: KubernetesServiceOptions): Promise<void> {
  const { core, client, advertiseAddress, port, serviceCidrs } = options;
  const { store, clock, log, cacher, stopping } = core;
  const cache = cacher.kind(masterLeases);
  const key = `${masterLeases}${advertiseAddress}`;
  let lease = 0;

  async function register(): Promise<void> {
    lease = (await store.grantLease(leaseSeconds)).id;
    const record = {
      kind: 'MasterLease',
      apiVersion: 'v1',
      metadata: { name: advertiseAddress },
      identity: core.identity,
    };
    await store.txn({ compare: [], success: [{ type: 'put', key, value: encodeStored(record), lease }] });
  }
  const reconcile = () => {
    const alive = new Set([advertiseAddress, ...cache.root.values().map(entry => entry.key)]);
    return reconcileEndpoints(client, [...alive], port);
  };
  const failed = (e: unknown) => {
    if (!stopping.aborted) log.warn('the endpoints of the API server could not be written', { error: messageOf(e) });
  };
  const renew = () => {
    store
      .keepAlive(lease)
      .catch(register)
      .then(() => ensureService(client, serviceCidrs, port))
      .then(reconcile)
      .catch(failed)
      .finally(schedule);
  };
  let timer = { cancel() {} };
  const schedule = () => {
    if (!stopping.aborted) timer = clock.setTimer(renew, renewMs, { background: true });
  };
  stopping.addEventListener(
    'abort',
    () => {
      timer.cancel();
      store.revokeLease(lease).catch(() => {});
    },
    { once: true },
  );
  await register();
  await ensureService(client, serviceCidrs, port);
  await reconcile().catch(failed);
  cache.subscribe({ onEvent: () => void reconcile().catch(failed), onReset() {} });
  schedule();
}
