import type { Pod, PodSpec } from '../../api/types/core-v1.ts';
import { errors } from '../../base/errors.ts';
import { aggregate, field } from '../registry/field-errors.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { containersOf, oldObjectOf, on, podOf } from './helpers.ts';

/** The policy of a container cannot change later, so an update that brings no new image is left alone. */
function bringsImages(request: AdmissionRequest, spec: PodSpec): boolean {
  const old = request.oldObject && oldObjectOf<Pod>(request).spec;
  if (!old) return true;
  const known = new Set(Array.from(containersOf(old), c => c.image));
  return Array.from(containersOf(spec)).some(c => !known.has(c.image));
}

/** Every image is pulled anew, so that nobody runs an image they may not pull. */
export const alwaysPullImages: AdmissionPluginFactory = {
  name: 'AlwaysPullImages',
  disabledByDefault: true,
  create: () => ({
    name: 'AlwaysPullImages',
    handles: on('CREATE', 'UPDATE'),
    admit(request) {
      const spec = podOf(request)?.spec;
      if (!spec || !bringsImages(request, spec)) return;
      for (const container of containersOf(spec)) container.imagePullPolicy = 'Always';
      for (const { image } of spec.volumes ?? []) if (image) image.pullPolicy = 'Always';
    },
    validate(request) {
      const spec = podOf(request)?.spec;
      if (!spec || !bringsImages(request, spec)) return;
      const lists = [
        ['initContainers', spec.initContainers],
        ['containers', spec.containers],
        ['ephemeralContainers', spec.ephemeralContainers],
      ] as const;
      const bad = lists.flatMap(([name, list]) =>
        (list ?? []).flatMap((c, i) =>
          c.imagePullPolicy === 'Always'
            ? []
            : [field.notSupported(`spec.${name}[${i}].imagePullPolicy`, c.imagePullPolicy ?? '', ['Always'])],
        ),
      );
      if (bad.length === 0) return;
      const { causes, message } = aggregate(bad);
      throw errors.invalid({ group: '', kind: 'Pod' }, request.name, causes, message);
    },
  }),
};
