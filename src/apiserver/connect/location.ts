/** Where a node, a pod or a service is (upstream: the ResourceLocation functions of pkg/registry/core). */
import type { Transport } from '../../api/transport.ts';
import type { Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { errors } from '../../base/errors.ts';
import { storeOf } from '../server/read.ts';
import type { Core } from '../server/scope.ts';
import type { Dialer } from './dialer.ts';

export interface SplitName {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** "name", "name:port" or "scheme:name:port". */
export function splitSchemeNamePort(text: string): SplitName {
  const parts = text.split(':');
  if (parts.length === 1) return { scheme: '', name: text, port: '' };
  if (parts.length === 2) return { scheme: '', name: parts[0] ?? '', port: parts[1] ?? '' };
  const [scheme = '', name = '', port = ''] = parts;
  if (parts.length > 3 || (scheme !== 'http' && scheme !== 'https' && scheme !== ''))
    throw errors.badRequest(`invalid service request ${JSON.stringify(text)}`);
  return { scheme, name, port };
}

function dialerOf(core: Core): Dialer {
  if (core.dialer) return core.dialer;
  throw errors.serviceUnavailable('this server has no way to reach nodes');
}

export async function readStored<T>(core: Core, resource: string, namespace: string, name: string): Promise<T> {
  const [group = '', version = '', plural = ''] = resource.split('/');
  const served = core.resources.find(group, version, plural);
  const entry = served && (await storeOf(served).get(namespace, name));
  if (!entry) throw errors.notFound({ group, resource: plural }, name);
  return entry.object() as unknown as T;
}

const addressOrder = ['InternalIP', 'ExternalIP', 'Hostname', 'InternalDNS', 'ExternalDNS'];
const kubeletPort = 10_250;

/** The kubelet of a node. */
export async function kubeletOf(core: Core, nodeName: string, port = ''): Promise<Transport> {
  const node = await readStored<Node>(core, '/v1/nodes', '', nodeName);
  const addresses = node.status?.addresses ?? [];
  const address = addressOrder.map(type => addresses.find(a => a.type === type)?.address).find(a => a !== undefined);
  if (address === undefined) throw errors.internal(`no preferred addresses found for node ${nodeName}`);
  const own = node.status?.daemonEndpoints?.kubeletEndpoint?.Port || kubeletPort;
  return dialerOf(core).kubelet(address, port === '' ? own : parsePort(port), node);
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw errors.badRequest(`${JSON.stringify(text)} is not a port number`);
  return port;
}

const schemeOf = (text: string): 'http' | 'https' => (text === 'https' ? 'https' : 'http');

export async function podBackend(core: Core, namespace: string, text: string): Promise<Transport> {
  const { scheme, name, port } = splitSchemeNamePort(text);
  const pod = await readStored<Pod>(core, '/v1/pods', namespace, name);
  const address = pod.status?.podIP;
  if (!address) throw errors.badRequest('address not allowed');
  const first = pod.spec.containers.flatMap(c => c.ports ?? [])[0]?.containerPort ?? 80;
  return dialerOf(core).backend(schemeOf(scheme), address, port === '' ? first : parsePort(port));
}

/** One ready endpoint of a service, at random. */
export async function serviceBackend(core: Core, namespace: string, text: string): Promise<Transport> {
  const { scheme, name, port } = splitSchemeNamePort(text);
  const service = await readStored<Service>(core, '/v1/services', namespace, name);
  const ports = service.spec.ports ?? [];
  const wanted = port === '' ? ports[0] : ports.find(p => p.name === port || String(p.port) === port);
  if (!wanted)
    throw errors.serviceUnavailable(
      `no service port ${JSON.stringify(port)} found for service ${JSON.stringify(name)}`,
    );
  const slices = core.resources.find('discovery.k8s.io', 'v1', 'endpointslices');
  const { cache } = storeOf(slices ?? unavailable(name));
  const candidates: { host: string; port: number }[] = [];
  for (const entry of cache.root.values(`${namespace}/`, `${namespace}0`)) {
    if (cache.selectableOf(entry).labels['kubernetes.io/service-name'] !== name) continue;
    const slice = entry.object() as unknown as EndpointSlice;
    const target = slice.ports?.find(p => (p.name ?? '') === (wanted.name ?? ''))?.port;
    if (target === undefined) continue;
    for (const endpoint of slice.endpoints ?? [])
      if (endpoint.conditions?.ready !== false)
        for (const host of endpoint.addresses) candidates.push({ host, port: target });
  }
  const chosen = candidates[core.random.int(candidates.length || 1)];
  if (!chosen) return unavailable(name);
  return dialerOf(core).backend(schemeOf(scheme), chosen.host, chosen.port);
}

function unavailable(name: string): never {
  throw errors.serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
}
