import type { Ingress, IngressClass } from '../../../api/types/networking-v1.ts';
import { ageColumn, firstFew, nameColumn, orNone, text } from '../columns.ts';
import { clusterScoped, namespaced } from '../define.ts';

function addresses(ingress: Ingress): string {
  const found = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(i =>
    i.ip ? [i.ip] : i.hostname ? [i.hostname] : [],
  );
  return [...new Set(found)].sort().join(',');
}

export const ingresses = namespaced<Ingress>({
  resource: 'networking.k8s.io/ingresses',
  generation: true,
  default(ingress) {
    ingress.status ??= {};
    ingress.status.loadBalancer ??= {};
  },
  initialStatus: () => ({ loadBalancer: {} }),
  columns: [
    nameColumn,
    text('Class', obj => orNone(obj.spec.ingressClassName)),
    text('Hosts', obj =>
      firstFew(
        (obj.spec.rules ?? []).flatMap(r => (r.host ? [r.host] : [])),
        3,
        '*',
      ),
    ),
    text('Address', addresses),
    text('Ports', obj => (obj.spec.tls?.length ? '80, 443' : '80')),
    ageColumn,
  ],
});

function parameters({ spec }: IngressClass): string {
  const ref = spec?.parameters;
  if (!ref) return '<none>';
  return `${ref.kind}${ref.apiGroup ? `.${ref.apiGroup}` : ''}/${ref.name}`;
}

export const ingressClasses = clusterScoped<IngressClass>({
  resource: 'networking.k8s.io/ingressclasses',
  generation: true,
  default({ spec }) {
    if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
  },
  columns: [
    nameColumn,
    text('Controller', obj => obj.spec?.controller ?? ''),
    text('Parameters', parameters),
    ageColumn,
  ],
});
