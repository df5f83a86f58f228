/** Plugins about services and ingresses. */
import type { Service } from '../../api/types/core-v1.ts';
import type { Ingress } from '../../api/types/networking-v1.ts';
import type { AdmissionPluginFactory } from './contract.ts';
import { forbid, isFor, newestFirst, objectOf, oldObjectOf, on } from './helpers.ts';

/** An ingress that names no class gets the newest default class. */
export const defaultIngressClass: AdmissionPluginFactory = {
  name: 'DefaultIngressClass',
  create({ informers }) {
    const informer = informers.informer('networking.k8s.io/v1/ingressclasses');
    return {
      name: 'DefaultIngressClass',
      handles: on('CREATE'),
      admit(request) {
        if (!isFor(request, 'networking.k8s.io/ingresses')) return;
        const ingress = objectOf<Ingress>(request);
        if (ingress.spec?.ingressClassName !== undefined) return;
        if (ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return;
        const [found] = informer.store
          .list()
          .filter(c => c.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true')
          .sort(newestFirst);
        if (found) ingress.spec = { ...ingress.spec, ingressClassName: found.metadata.name };
      },
    };
  },
};

/** External IPs let a user of one namespace take traffic of others (CVE-2020-8554). Those that are there may stay. */
export const denyServiceExternalIPs: AdmissionPluginFactory = {
  name: 'DenyServiceExternalIPs',
  create: () => ({
    name: 'DenyServiceExternalIPs',
    handles: on('CREATE', 'UPDATE'),
    validate(request) {
      if (!isFor(request, '/services')) return;
      const old = request.oldObject ? (oldObjectOf<Service>(request).spec?.externalIPs ?? []) : [];
      const added = (objectOf<Service>(request).spec?.externalIPs ?? []).filter(ip => !old.includes(ip));
      if (added.length > 0) throw forbid(request, 'Use of external IPs is denied by admission control');
    },
  }),
};
