import type { Ingress, IngressClass } from '../../../api/types/networking-v1.ts';
import { immutable } from '../checks.ts';
import { ageColumn, firstFew, nameColumn, orNone, text } from '../columns.ts';
import { clusterScoped, namespaced } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateIngress, validateIngressClass } from './ingress-validate.ts';

function addresses(ingress: Ingress): string {
  const found = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(i =>
    i.ip ? [i.ip] : i.hostname ? [i.hostname] : [],
  );
  return [...new Set(found)].sort().join(',');
}

const classAnnotation = 'kubernetes.io/ingress.class';

export const ingresses = namespaced<Ingress>({
  resource: 'networking.k8s.io/ingresses',
  generation: true,
  default(ingress) {
    ingress.status ??= {};
    ingress.status.loadBalancer ??= {};
  },
  initialStatus: () => ({ loadBalancer: {} }),
  validate(ingress) {
    const legacy = ingress.metadata.annotations?.[classAnnotation];
    const both = legacy !== undefined && ingress.spec.ingressClassName !== undefined;
    const mismatch = both && legacy !== ingress.spec.ingressClassName;
    const at = `metadata.annotations.${classAnnotation}`;
    return [
      ...(mismatch ? [field.invalid(at, legacy, 'must match `ingressClassName` when both are specified')] : []),
      ...validateIngress(ingress),
    ];
  },
  warnings: ({ metadata }) =>
    metadata.annotations?.[classAnnotation] === undefined
      ? []
      : [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`],
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
  validate: validateIngressClass,
  validateUpdate: (obj, old) => immutable(obj.spec.controller, old.spec.controller, 'spec.controller'),
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
