import type { KubeObject } from '../../api/object.ts';
import type { Container, Pod, PodSpec } from '../../api/types/core-v1.ts';
import type { Awaitable } from '../../base/awaitable.ts';
import { type ApiError, errors, isNotFound } from '../../base/errors.ts';
import type { Informer, ResourceClient } from '../../client/contract.ts';
import type { AdmissionRequest, Operation } from './contract.ts';

/** `pods "p" is forbidden: why` */
export function forbid(request: AdmissionRequest, why: string): ApiError {
  const { group, plural } = request.resource;
  const { name, generateName } = request.object?.metadata ?? {};
  return errors.forbidden({ group, resource: plural }, request.name || name || generateName || '', why);
}

/** Is the request for the main resource "group/plural" ("/pods" for the core group)? */
export const isFor = (request: AdmissionRequest, resource: string, subresource = ''): boolean =>
  request.subresource === subresource && `${request.resource.group}/${request.resource.plural}` === resource;

export const on =
  (...operations: readonly Operation[]) =>
  (operation: Operation): boolean =>
    operations.includes(operation);

/** The object as the type that the caller knows the resource to have. */
export const objectOf = <T>(request: AdmissionRequest): T => request.object as unknown as T;
export const oldObjectOf = <T>(request: AdmissionRequest): T => request.oldObject as unknown as T;

/** Undefined unless the request carries a pod of the main resource. Its spec is there. */
export function podOf(request: AdmissionRequest): (Pod & { spec: PodSpec }) | undefined {
  if (!isFor(request, '/pods') || !request.object) return undefined;
  const pod = objectOf<Pod>(request);
  return pod.spec ? (pod as Pod & { spec: PodSpec }) : undefined;
}

export const mirrorAnnotation = 'kubernetes.io/config.mirror';

/** Containers, init containers and ephemeral ones. */
export function* containersOf(spec: PodSpec): Generator<Container> {
  yield* spec.initContainers ?? [];
  yield* spec.containers ?? [];
  for (const container of spec.ephemeralContainers ?? []) yield container as Container;
}

/** From the cache, or live where the cache may lag. Undefined when there is none. */
export function lookUp<T extends KubeObject>(
  informer: Informer<T>,
  client: ResourceClient<T>,
  name: string,
  namespace = '',
): Awaitable<T | undefined> {
  return informer.store.get(namespace ? `${namespace}/${name}` : name) ?? lookUpLive(client, name);
}

async function lookUpLive<T extends KubeObject>(client: ResourceClient<T>, name: string): Promise<T | undefined> {
  try {
    return await client.get(name);
  } catch (e) {
    if (isNotFound(e)) return undefined;
    throw e;
  }
}

/** Newest first, then by name: which of several defaults counts. */
export function newestFirst(a: KubeObject, b: KubeObject): number {
  const [ta = '', tb = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return ta === tb ? (a.metadata.name < b.metadata.name ? -1 : 1) : ta < tb ? 1 : -1;
}
