/** Removes images that no container uses when the disk fills: above 85 % down to 80 %, oldest first. Upstream: images/image_gc_manager.go. */
import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { machineUsage } from '../host/machine.ts';
import type { Kubelet } from '../kubelet.ts';
import type { Container, Image } from '../runtime/contract.ts';
import { pauseImage } from './pause.ts';

export interface ImageGcOptions {
  kubelet: Kubelet;
  storagePath: string;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}

const intervalMs = 300_000;
const highShare = 0.85;
const lowShare = 0.8;
const minAgeMs = 120_000;

/** What to remove, in order, to free so many bytes. Pure. */
export function chooseImages(
  images: readonly Image[],
  containers: readonly Container[],
  seen: ReadonlyMap<string, { first: number; used: number }>,
  bytes: number,
  now: number,
): Image[] {
  const used = new Set(containers.flatMap(c => [c.imageRef, c.imageId, c.image?.image ?? '']));
  const free = images
    .filter(i => !i.pinned && !i.repoTags.includes(pauseImage))
    .filter(i => ![i.id, ...i.repoDigests, ...i.repoTags].some(n => used.has(n)))
    .filter(i => now - (seen.get(i.id)?.first ?? now) >= minAgeMs)
    .sort((a, b) => (seen.get(a.id)?.used ?? 0) - (seen.get(b.id)?.used ?? 0));
  const chosen: Image[] = [];
  for (let freed = 0; freed < bytes; ) {
    const image = free.shift();
    if (!image) break;
    chosen.push(image);
    freed += image.size;
  }
  return chosen;
}

export interface ImageGc {
  /** Looks now and then until the signal is aborted. */
  run(): Promise<void>;
  /** Removes every image that no container uses. */
  removeUnused(): Promise<void>;
}

export function createImageGc({ kubelet, storagePath, clock, log, signal }: ImageGcOptions): ImageGc {
  const { runtime, meters } = kubelet.context;
  const seen = new Map<string, { first: number; used: number }>();
  async function collect(): Promise<void> {
    const [images, containers] = await Promise.all([runtime.listImages(), runtime.listContainers()]);
    const now = clock.now();
    const inUse = new Set(containers.flatMap(c => [c.imageRef, c.imageId]));
    for (const { id } of images) {
      const known = seen.get(id);
      seen.set(id, { first: known?.first ?? now, used: inUse.has(id) ? now : (known?.used ?? 0) });
    }
    const { storageAvailable, storageTotal } = await machineUsage(storagePath);
    if (storageTotal - storageAvailable < highShare * storageTotal) return;
    const bytes = storageTotal - storageAvailable - lowShare * storageTotal;
    await remove(chooseImages(images, containers, seen, bytes, now));
  }
  async function remove(images: readonly Image[]): Promise<void> {
    for (const image of images) {
      log.info('removing an unused image', { image: image.repoTags[0] ?? image.id, bytes: image.size });
      await runtime.removeImage({ image: image.id });
      meters.imageCollected('space');
      seen.delete(image.id);
    }
  }
  return {
    async removeUnused() {
      const [images, containers] = await Promise.all([runtime.listImages(), runtime.listContainers()]);
      const old = new Map(images.map(({ id }) => [id, { first: 0, used: seen.get(id)?.used ?? 0 }]));
      await remove(chooseImages(images, containers, old, Number.POSITIVE_INFINITY, clock.now()));
    },
    async run() {
      while (!signal.aborted) {
        await collect().catch((e: unknown) => log.warn('image garbage collection failed', { error: messageOf(e) }));
        await sleep(clock, intervalMs, signal).catch(() => undefined);
      }
    },
  };
}
