import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { maxNodeScore } from './normalize.ts';

const mebibyte = 1024 * 1024;
const least = 23 * mebibyte;
const mostPerContainer = 1000 * mebibyte;

interface Wanted {
  readonly name: string;
  /** Share of the nodes that have it: images on few nodes do not draw all pods there. */
  readonly spread: number;
}

/** As nodes list it: with a tag. */
const tagged = (image: string) => (image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image);

function imagesOf({ pod }: PodInfo): string[] {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(c => c.image ?? '');
  const volumes = (pod.spec.volumes ?? []).flatMap(v => (v.image?.reference ? [v.image.reference] : []));
  return [...containers, ...volumes].map(tagged);
}

/** Prefers nodes that have the images already. */
export const imageLocality: PluginFactory = {
  name: 'ImageLocality',
  create: () =>
    definePlugin<undefined, { wanted: readonly Wanted[]; count: number }>({
      name: 'ImageLocality',
      preScore(pod, snapshot) {
        const images = imagesOf(pod);
        const total = snapshot.order.length;
        const wanted = images
          .map(name => ({ name, spread: snapshot.imageNodes(name) / total }))
          .filter(({ spread }) => spread > 0);
        return wanted.length === 0 ? { skip: true } : { state: { wanted, count: images.length } };
      },
      score({ wanted, count }, { images }) {
        let sum = 0;
        for (const { name, spread } of wanted) sum += Math.trunc((images.get(name) ?? 0) * spread);
        const most = mostPerContainer * count;
        const clamped = Math.min(most, Math.max(least, sum));
        return Math.trunc((maxNodeScore * (clamped - least)) / (most - least));
      },
    }),
};
