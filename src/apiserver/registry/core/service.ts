import type { LoadBalancerStatus, Service } from '../../../api/types/core-v1.ts';
import { nameIsDns1035Label } from '../../../api/validation/names.ts';
import { ageColumn, formatLabels, nameColumn, orNone, text, wideText } from '../columns.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { cidrWarnings, ipWarnings } from '../meta/ip-warnings.ts';
import { isHeadless } from './service/cluster-ips.ts';
import { defaultService } from './service/defaults.ts';
import { prepareServiceUpdate, validateServiceStatus, validateServiceUpdate } from './service/update.ts';
import { oldTopologyHints, validateService } from './service/validate.ts';

function balancerAddresses(status: LoadBalancerStatus | undefined): string[] {
  const found = (status?.ingress ?? []).flatMap(i => (i.ip ? [i.ip] : i.hostname ? [i.hostname] : []));
  return [...new Set(found)].sort();
}

/** The EXTERNAL-IP cell. */
function externalAddresses({ spec, status }: Service): string {
  const own = spec.externalIPs ?? [];
  if (spec.type === 'ExternalName') return spec.externalName ?? '';
  if (spec.type !== 'LoadBalancer') return orNone(own.join(','));
  const balancer = balancerAddresses(status?.loadBalancer).join(',');
  return [...(balancer ? [balancer] : []), ...own].join(',') || '<pending>';
}

function ports({ spec }: Service): string {
  const cells = (spec.ports ?? []).map(p => `${p.port}${p.nodePort ? `:${p.nodePort}` : ''}/${p.protocol}`);
  return orNone(cells.join(','));
}

function warnings({ metadata, spec }: Service): string[] {
  const found: string[] = [];
  if (metadata.annotations?.[oldTopologyHints] !== undefined) {
    found.push(`annotation ${oldTopologyHints} is deprecated, please use service.kubernetes.io/topology-mode instead`);
  }
  const headless = isHeadless(spec);
  const addresses = (list: readonly string[] = [], path: string) =>
    list.flatMap((ip, i) => ipWarnings(ip, `spec.${path}[${i}]`));
  if (!headless) found.push(...addresses(spec.clusterIPs, 'clusterIPs'));
  if (headless) {
    if (spec.loadBalancerIP) found.push('spec.loadBalancerIP is ignored for headless services');
    if (spec.externalIPs?.length) found.push('spec.externalIPs is ignored for headless services');
    if (spec.sessionAffinity && spec.sessionAffinity !== 'None') {
      found.push('spec.SessionAffinity is ignored for headless services');
    }
  }
  found.push(
    ...addresses(spec.externalIPs, 'externalIPs'),
    ...ipWarnings(spec.loadBalancerIP, 'spec.loadBalancerIP'),
    ...(spec.loadBalancerSourceRanges ?? []).flatMap((cidr, i) =>
      cidrWarnings(cidr, `spec.loadBalancerSourceRanges[${i}]`),
    ),
  );
  if (spec.type === 'ExternalName' && spec.externalIPs?.length) {
    found.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (spec.type !== 'ExternalName' && spec.externalName) {
    found.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (spec.trafficDistribution === 'PreferClose') {
    found.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return found;
}

export const services = namespaced<Service>({
  resource: '/services',
  allowCreateOnUpdate: true,
  default: defaultService,
  initialStatus: () => ({ loadBalancer: {} }),
  validateName: nameIsDns1035Label,
  prepareForCreate({ spec }) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  },
  prepareForUpdate: prepareServiceUpdate,
  validateCreate: validateService,
  validateUpdate: validateServiceUpdate,
  canonicalize({ spec }) {
    // Never shown by upstream, although it may be sent (defaultOnReadInternalTrafficPolicy).
    if (spec.type === 'ExternalName') delete spec.internalTrafficPolicy;
  },
  warnings,
  subresources: { status: statusSubresource<Service>({ validateUpdate: validateServiceStatus }) },
  columns: [
    nameColumn,
    text('Type', obj => obj.spec.type ?? ''),
    text('Cluster-IP', obj => orNone(obj.spec.clusterIPs?.[0] ?? obj.spec.clusterIP)),
    text('External-IP', externalAddresses),
    text('Port(s)', ports),
    ageColumn,
    wideText('Selector', obj => formatLabels(obj.spec.selector)),
  ],
  selectableFields: { 'spec.clusterIP': obj => obj.spec.clusterIP ?? '', 'spec.type': obj => obj.spec.type ?? '' },
});
