/** Mirrors Endpoints that people wrote for services without selector (pkg/controller/endpointslicemirroring of v1.35). */
import { type Draft, type KubeObject, keyOf } from '../../api/object.ts';
import type { EndpointAddress, EndpointSubset, Endpoints, Service } from '../../api/types/core-v1.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../api/types/discovery-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { managedByLabel, serviceNameLabel } from '../endpointslice/plan.ts';
import { canonicalJson } from '../support/hash.ts';
import { controllerRef, isNamespaceTerminating } from '../support/pod-control.ts';

const managedBy = 'endpointslicemirroring-controller.k8s.io';
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';
const unmirroredAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'endpoints.kubernetes.io/last-change-trigger-time',
]);
/** Upstream's --mirroring-max-endpoints-per-subset. */
const maxPerSubset = 1000;
const endpointsKind = { apiVersion: 'v1', kind: 'Endpoints' };

function shouldMirror(endpoints: Endpoints | undefined, service: Service | undefined): boolean {
  if (!endpoints || !service) return false;
  const { labels, annotations } = endpoints.metadata;
  if (labels?.[skipLabel] === 'true' || annotations?.[leaderAnnotation] !== undefined) return false;
  return Object.keys(service.spec?.selector ?? {}).length === 0 && service.spec?.type !== 'ExternalName';
}

export interface Mirrored {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: EndpointPort[];
  readonly endpoints: Endpoint[];
}

/** One slice per set of ports and family. An address is there once; ready wins. */
export function mirror(subsets: readonly EndpointSubset[]): Mirrored[] {
  const slices = new Map<string, Mirrored>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const all = [...addresses.map(a => ({ a, ready: true })), ...notReadyAddresses.map(a => ({ a, ready: false }))];
    for (const { a, ready } of all.slice(0, maxPerSubset)) {
      const addressType = a.ip.includes(':') ? 'IPv6' : 'IPv4';
      const key = addressType + canonicalJson(ports);
      const slice = slices.get(key) ?? { addressType, ports: ports.map(p => ({ name: '', ...p })), endpoints: [] };
      if (!slice.endpoints.some(e => e.addresses[0] === a.ip)) slice.endpoints.push(endpointOf(a, ready));
      slices.set(key, slice);
    }
  }
  return [...slices.values()];
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  };
}

export const endpointSliceMirroringController: Controller = {
  name: 'endpointslice-mirroring-controller',
  account: 'endpointslicemirroring-controller',
  aliases: ['endpointslicemirroring'],
  setUp({ informers, client }) {
    const all = informers.informer('v1/endpoints');
    const services = informers.informer('v1/services');
    const slices = informers.informer('discovery.k8s.io/v1/endpointslices');
    slices.addIndex('mirror', slice =>
      slice.metadata.labels?.[managedByLabel] === managedBy
        ? [`${slice.metadata.namespace}/${slice.metadata.labels[serviceNameLabel]}`]
        : [],
    );

    function draft(endpoints: Endpoints, wanted: Mirrored): Draft<EndpointSlice> {
      const { name, namespace = '', labels, annotations } = endpoints.metadata;
      const kept = Object.entries(annotations ?? {}).filter(([key]) => !unmirroredAnnotations.has(key));
      return {
        metadata: {
          generateName: `${name}-`,
          namespace,
          labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: managedBy },
          ...(kept.length > 0 && { annotations: Object.fromEntries(kept) }),
          ownerReferences: [controllerRef(endpointsKind, endpoints)],
        },
        ...wanted,
      };
    }
    const signature = (slice: { addressType: string; ports?: EndpointPort[] }) =>
      slice.addressType + canonicalJson((slice.ports ?? []).map(p => ({ name: '', protocol: 'TCP', ...p })));

    return {
      sources: [
        watch<'v1/endpoints'>(all, endpoints => [keyOf(endpoints)]),
        watch<'v1/services'>(services, (service, old, kind) =>
          kind === 'update' && deepEqual(service.spec?.selector, old?.spec?.selector) ? [] : [keyOf(service)],
        ),
        watch<'discovery.k8s.io/v1/endpointslices'>(slices, (slice, _old, kind) =>
          kind === 'add' || slice.metadata.labels?.[managedByLabel] !== managedBy
            ? []
            : [keyOf(nameOf(slice.metadata.namespace, slice.metadata.labels[serviceNameLabel]))],
        ),
      ],
      async reconcile(key) {
        const endpoints = all.store.get(key);
        const existing = slices.store.byIndex('mirror', key);
        const wanted =
          endpoints && shouldMirror(endpoints, services.store.get(key)) ? mirror(endpoints.subsets ?? []) : [];
        const free = new Set(existing);
        for (const want of wanted) {
          if (!endpoints) continue;
          const next = draft(endpoints, { ...want, ports: want.ports.map(p => ({ protocol: 'TCP', ...p })) });
          const present = [...free].find(slice => signature(slice) === signature(next));
          const { namespace = '' } = endpoints.metadata;
          if (!present) {
            await client
              .endpointslices(namespace)
              .create(next)
              .catch(e => {
                if (!isNamespaceTerminating(e)) throw e;
              });
            continue;
          }
          free.delete(present);
          const { labels, annotations } = next.metadata;
          const sameMarks =
            deepEqual(labels, present.metadata.labels) &&
            deepEqual(annotations ?? {}, present.metadata.annotations ?? {});
          if (sameMarks && deepEqual(next.endpoints, present.endpoints)) continue;
          const metadata = { ...present.metadata, labels: labels ?? {}, annotations: annotations ?? {} };
          await client.endpointslices(namespace).update({ ...present, metadata, endpoints: want.endpoints });
        }
        for (const { metadata } of free)
          await client
            .endpointslices(metadata.namespace)
            .delete(metadata.name)
            .catch(e => {
              if (!isNotFound(e)) throw e;
            });
      },
    };
  },
};

const nameOf = (namespace = '', name = ''): KubeObject => ({ metadata: { namespace, name } });
