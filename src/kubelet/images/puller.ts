/** Brings images to the node: policies, secrets, back-off, one pull per image at a time. Upstream: pkg/kubelet/images. */
import type { Secret } from '../../api/types/core-v1.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Meters } from '../metrics/meters.ts';
import { createBackOff, goMilliseconds } from '../pod/back-off.ts';
import type { ContainerRuntime, Image, SandboxConfig } from '../runtime/contract.ts';
import { credentialsFor } from './credentials.ts';

/** `reason` becomes the container's waiting reason. */
export class ImageError extends Error {
  readonly reason: string;
  /** Milliseconds until it is worth trying again. */
  readonly retryMs: number;
  constructor(reason: string, message: string, retryMs: number) {
    super(message);
    this.name = 'ImageError';
    this.reason = reason;
    this.retryMs = retryMs;
  }
}
export interface PullRequest {
  podUid: string;
  /** As the container names it. */
  image: string;
  policy: string | undefined;
  secrets: readonly Secret[];
  sandbox: SandboxConfig;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
}
export interface ImagePuller {
  /** Resolves with the image once it is on the node; rejects with `ImageError`. */
  ensure(request: PullRequest): Promise<Image>;
}

const backOffInitialMs = 10_000;
const backOffMaxMs = 300_000;
/** A failed pull is looked at again this soon, to show that it is backing off. */
const showBackOffMs = 1500;

/** `:latest` when the name carries neither tag nor digest; undefined when it is no image name. */
export function withDefaultTag(image: string): string | undefined {
  if (!/^[a-z0-9]([\w./:@-]*[\w])?$/i.test(image) || image.includes('//')) return undefined;
  const last = image.slice(image.lastIndexOf('/') + 1);
  const repository = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  if (/[A-Z]/.test(repository.slice(repository.indexOf('/') + 1))) return undefined;
  return last.includes(':') || last.includes('@') ? image : `${image}:latest`;
}

export function defaultPullPolicy(image: string): string {
  return withDefaultTag(image)?.endsWith(':latest') ? 'Always' : 'IfNotPresent';
}

export interface ImagePullerOptions {
  runtime: ContainerRuntime;
  clock: Clock;
  meters: Meters;
}
const maxParallel = 4;

export function createImagePuller({ runtime, clock, meters }: ImagePullerOptions): ImagePuller {
  const backOff = createBackOff(clock, backOffInitialMs, backOffMaxMs);
  const lastErrors = new Map<string, string>();
  const waiting: (() => void)[] = [];
  let active = 0;

  async function slot<T>(work: () => Promise<T>): Promise<T> {
    if (active >= maxParallel) await new Promise<void>(resolve => waiting.push(resolve));
    active++;
    try {
      return await work();
    } finally {
      active--;
      waiting.shift()?.();
    }
  }
  async function pullOnce(image: string, request: PullRequest): Promise<string> {
    const credentials = [...credentialsFor(image, request.secrets), undefined];
    let failure: unknown;
    for (const auth of credentials) {
      try {
        return await runtime.pullImage({ image }, auth, request.sandbox);
      } catch (e) {
        failure ??= e;
      }
    }
    throw failure;
  }
  async function pull(image: string, key: string, request: PullRequest): Promise<Image> {
    const { event } = request;
    if (backOff.isActive(key)) {
      event('Normal', 'BackOff', `Back-off pulling image "${request.image}"`);
      const last = lastErrors.get(key);
      const message = `Back-off pulling image "${request.image}"${last ? `: ErrImagePull: ${last}` : ''}`;
      throw new ImageError('ImagePullBackOff', message, backOff.remaining(key));
    }
    const asked = clock.monotonic();
    event('Normal', 'Pulling', `Pulling image "${request.image}"`);
    try {
      return await slot(async () => {
        const begun = clock.monotonic();
        const reference = await pullOnce(image, request);
        const found = (await runtime.imageStatus({ image })) ?? (await runtime.imageStatus({ image: reference }));
        if (!found) throw new Error(`image "${image}" is not there after its pull`);
        const [own, all] = [goMilliseconds(clock.monotonic() - begun), goMilliseconds(clock.monotonic() - asked)];
        const text = `Successfully pulled image "${request.image}" in ${own} (${all} including waiting). Image size: ${found.size} bytes.`;
        event('Normal', 'Pulled', text);
        meters.imagePulled(found.size, (clock.monotonic() - begun) / 1000);
        backOff.reset(key);
        lastErrors.delete(key);
        return found;
      });
    } catch (e) {
      const message = messageOf(e);
      event('Warning', 'Failed', `Failed to pull image "${request.image}": ${message}`);
      backOff.next(key, clock.now());
      for (const other of lastErrors.keys()) if (backOff.delay(other) === 0) lastErrors.delete(other);
      lastErrors.set(key, message);
      throw new ImageError('ErrImagePull', message, Math.min(showBackOffMs, backOff.remaining(key)));
    }
  }

  return {
    async ensure(request) {
      const image = withDefaultTag(request.image);
      if (image === undefined) {
        const why = `Failed to apply default image tag "${request.image}": couldn't parse image name "${request.image}": invalid reference format`;
        request.event('Warning', 'InspectFailed', why);
        throw new ImageError('InvalidImageName', why, backOffMaxMs);
      }
      const policy = request.policy ?? defaultPullPolicy(image);
      const present = await runtime.imageStatus({ image });
      if (present && policy !== 'Always') {
        const message = `Container image "${request.image}" already present on machine and can be accessed by the pod`;
        request.event('Normal', 'Pulled', message);
        return present;
      }
      if (policy === 'Never') {
        const message = `Container image "${request.image}" is not present with pull policy of Never`;
        request.event('Warning', 'ErrImageNeverPull', message);
        throw new ImageError('ErrImageNeverPull', message, backOffInitialMs);
      }
      return pull(image, `${request.podUid}_${image}`, request);
    },
  };
}
