import type { Ingress, IngressClass } from '../../../api/types/networking-v1.ts';
import { immutable } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped, namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { ipWarnings } from '../meta/ip-warnings.ts';
import { validateIngress, validateIngressClass, validateIngressStatus } from './ingress-validate.ts';

function addresses(ingress: Ingress): string {
  const found = (ingress.status?.loadBalancer?.ingress ?? []).flatMap(i =>
    i.ip ? [i.ip] : i.hostname ? [i.hostname] : [],
  );
  return [...new Set(found)].sort().join(',');
}

const maxHosts = 3;

/** The first hosts; what follows them is counted in rules, with or without hosts. */
function hosts({ spec: { rules = [] } }: Ingress): string {
  const list: string[] = [];
  const rest = rules.findIndex(({ host }) => {
    if (list.length === maxHosts) return true;
    if (host) list.push(host);
    return false;
  });
  if (list.length === 0) return '*';
  return rest < 0 ? list.join(',') : `${list.join(',')} + ${rules.length - maxHosts} more...`;
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
  validate: validateIngress,
  validateCreate({ metadata, spec }) {
    const legacy = metadata.annotations?.[classAnnotation];
    const mismatch = legacy !== undefined && spec.ingressClassName !== undefined && legacy !== spec.ingressClassName;
    // Upstream leaves "metadata" out of the path.
    const at = `annotations.${classAnnotation}`;
    return mismatch ? [field.invalid(at, legacy, 'must match `ingressClassName` when both are specified')] : [];
  },
  warnings: ({ metadata, spec }, old) =>
    old || metadata.annotations?.[classAnnotation] === undefined || spec.ingressClassName !== undefined
      ? []
      : [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`],
  subresources: {
    status: statusSubresource<Ingress>({
      validateUpdate: validateIngressStatus,
      warnings: ({ status }) =>
        (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, i) =>
          ipWarnings(ip, `status.loadBalancer.ingress[${i}]`),
        ),
    }),
  },
  columns: [
    nameColumn,
    text('Class', obj => obj.spec.ingressClassName ?? '<none>'),
    text('Hosts', hosts),
    text('Address', addresses),
    text('Ports', obj => (obj.spec.tls?.length ? '80, 443' : '80')),
    ageColumn,
  ],
});

function parameters({ spec }: IngressClass): string {
  const ref = spec?.parameters;
  if (!ref) return '<none>';
  return `${ref.kind}${ref.apiGroup === undefined ? '' : `.${ref.apiGroup}`}/${ref.name}`;
}

export const ingressClasses = clusterScoped<IngressClass>({
  resource: 'networking.k8s.io/ingressclasses',
  validate: validateIngressClass,
  validateUpdate: (obj, old) => immutable(obj.spec.controller ?? '', old.spec.controller, 'spec.controller'),
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
