/** Contents of configMap, secret, downwardAPI and projected volumes. */
import type {
  ConfigMap,
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  Secret,
  VolumeProjection,
} from '../../api/types/core-v1.ts';
import { type ObjectSource, podField, resourceField } from '../pod/env.ts';
import type { FileProjection, Payload } from './atomic-writer.ts';

export interface PayloadSource {
  objects: ObjectSource;
  nodeName: string;
  hostIps(): readonly string[];
  podIps(pod: Pod): readonly string[];
  allocatable(): Record<string, string>;
  /** A token for the pod's service account, renewed before it runs out. */
  serviceAccountToken(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string>;
}

const defaultMode = 0o644;
const bytes = (text: string): Uint8Array => Buffer.from(text);
const base64 = (text: string): Uint8Array => Buffer.from(text, 'base64');

function select(
  all: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number,
  what: { optional: boolean; name: string },
): Map<string, FileProjection> {
  if (!items?.length) return new Map([...all].map(([key, content]) => [key, { content, mode }]));
  const files = new Map<string, FileProjection>();
  for (const item of items) {
    const content = all.get(item.key);
    if (content) files.set(item.path, { content, mode: item.mode ?? mode });
    else if (!what.optional) throw new Error(`${what.name} references non-existent key: ${item.key}`);
  }
  return files;
}

const configMapBytes = ({ data = {}, binaryData = {} }: ConfigMap) =>
  new Map([
    ...Object.entries(data).map(([k, v]): [string, Uint8Array] => [k, bytes(v)]),
    ...Object.entries(binaryData).map(([k, v]): [string, Uint8Array] => [k, base64(v)]),
  ]);
const secretBytes = ({ data = {} }: Secret) => new Map(Object.entries(data).map(([k, v]) => [k, base64(v)]));

interface Reference {
  name?: string | undefined;
  items?: readonly KeyToPath[] | undefined;
  optional?: boolean | undefined;
  mode?: number | undefined;
}

export async function configMapPayload(pod: Pod, ref: Reference, source: PayloadSource): Promise<Payload> {
  const { name = '', optional = false, mode = defaultMode } = ref;
  const found = await source.objects.configMap(pod.metadata.namespace ?? '', name);
  if (!found && !optional) throw new Error(`configmap "${name}" not found`);
  return found ? select(configMapBytes(found), ref.items, mode, { optional, name: 'configmap' }) : new Map();
}

export async function secretPayload(pod: Pod, ref: Reference, source: PayloadSource): Promise<Payload> {
  const { name = '', optional = false, mode = defaultMode } = ref;
  const found = await source.objects.secret(pod.metadata.namespace ?? '', name);
  if (!found && !optional) throw new Error(`secret "${name}" not found`);
  return found ? select(secretBytes(found), ref.items, mode, { optional, name: 'secret' }) : new Map();
}

export function downwardPayload(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[] | undefined,
  mode: number | undefined,
  source: PayloadSource,
): Payload {
  const files = new Map<string, FileProjection>();
  for (const item of items ?? []) {
    const text = item.fieldRef
      ? podField(item.fieldRef.fieldPath, {
          pod,
          podIps: source.podIps(pod),
          hostIps: source.hostIps(),
          nodeName: source.nodeName,
        })
      : resourceText(pod, item, source);
    files.set(item.path, { content: bytes(text), mode: item.mode ?? mode ?? defaultMode });
  }
  return files;
}

function resourceText(pod: Pod, { resourceFieldRef: ref }: DownwardAPIVolumeFile, source: PayloadSource): string {
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(
    c => c.name === ref?.containerName,
  );
  if (!ref || !container) throw new Error(`container ${ref?.containerName} not found`);
  return resourceField(container, ref.resource, ref.divisor, source.allocatable());
}

/** All sources in one directory; later ones win. Tokens are readable by the user the pod runs as. */
export async function projectedPayload(
  pod: Pod,
  sources: readonly VolumeProjection[] | undefined,
  mode: number | undefined,
  source: PayloadSource,
): Promise<Payload> {
  const files = new Map<string, FileProjection>();
  for (const part of sources ?? []) {
    for (const [path, file] of await projectionPayload(pod, part, mode ?? defaultMode, source)) files.set(path, file);
  }
  return files;
}

async function projectionPayload(
  pod: Pod,
  part: VolumeProjection,
  mode: number,
  source: PayloadSource,
): Promise<Payload> {
  if (part.configMap) return configMapPayload(pod, { ...part.configMap, mode }, source);
  if (part.secret) return secretPayload(pod, { ...part.secret, mode }, source);
  if (part.downwardAPI) return downwardPayload(pod, part.downwardAPI.items, mode, source);
  if (!part.serviceAccountToken) throw new Error('projected volume has a source that this node does not know');
  const { path, audience, expirationSeconds = 3600 } = part.serviceAccountToken;
  const token = await source.serviceAccountToken(pod, audience, expirationSeconds);
  return new Map([[path, { content: bytes(token), ...tokenOwner(pod, mode) }]]);
}

/** Upstream's rule: with an fsGroup 0640 for the group; with one user for all containers that user and 0600. */
function tokenOwner(pod: Pod, mode: number): { mode: number; uid?: number } {
  const { securityContext, containers, initContainers = [] } = pod.spec;
  if (securityContext?.fsGroup !== undefined) return { mode: 0o640 };
  const users = new Set(
    [...containers, ...initContainers].map(c => c.securityContext?.runAsUser ?? securityContext?.runAsUser),
  );
  const [user] = users;
  return users.size === 1 && user !== undefined ? { mode: 0o600, uid: user } : { mode };
}
