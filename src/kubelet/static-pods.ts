/** Pods from files or a URL, run without the API server and shown in it as mirror pods. Upstream: pkg/kubelet/config, pkg/kubelet/pod. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Pod } from '../api/types/core-v1.ts';
import { type Clock, rfc3339, sleep } from '../base/clock.ts';
import { isAlreadyExists, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Client } from '../client/contract.ts';
import type { Kubelet } from './kubelet.ts';
import {
  configHashAnnotation,
  configMirrorAnnotation,
  configSeenAnnotation,
  configSourceAnnotation,
  isMirrorPod,
} from './pod/names.ts';

export interface StaticPodOptions {
  directory?: string;
  url?: string;
  kubelet: Pick<Kubelet, 'setStaticPod' | 'node'>;
  nodeName: string;
  client: Client;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  intervalMs?: number;
}

const defaultIntervalMs = 20_000;

/** What upstream's defaulting and applyDefaults do to a pod from a file. */
export function staticPod(
  raw: Partial<Pod>,
  source: 'file' | 'http',
  origin: string,
  nodeName: string,
  now: number,
): Pod {
  const { metadata = { name: '' }, spec } = raw;
  if (raw.kind !== 'Pod' || !metadata.name || !spec?.containers?.length) throw new Error('not a pod with containers');
  const hash = createHash('md5')
    .update(`${nodeName}\n${origin}\n${JSON.stringify(raw)}`)
    .digest('hex');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name: `${metadata.name}-${nodeName}`.toLowerCase(),
      namespace: metadata.namespace ?? 'default',
      uid: hash,
      annotations: {
        ...metadata.annotations,
        [configHashAnnotation]: hash,
        [configSourceAnnotation]: source,
        [configSeenAnnotation]: rfc3339(now),
      },
    },
    spec: {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      ...spec,
      nodeName,
      tolerations: [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
    },
    status: { phase: 'Pending' },
  };
}

/** The pod as the API shows it. */
export function mirrorOf(pod: Pod, nodeUid: string | undefined): Pod {
  const { name = '', namespace = '', labels, annotations = {} } = pod.metadata;
  const owner = { apiVersion: 'v1', kind: 'Node', name: pod.spec.nodeName ?? '', uid: nodeUid ?? '', controller: true };
  return {
    metadata: {
      name,
      namespace,
      ...(labels && { labels }),
      annotations: { ...annotations, [configMirrorAnnotation]: annotations[configHashAnnotation] ?? '' },
      ...(nodeUid && { ownerReferences: [owner] }),
    },
    spec: pod.spec,
  };
}

export async function startStaticPods(options: StaticPodOptions): Promise<void> {
  const { kubelet, client, clock, log, signal, nodeName } = options;
  const known = new Map<string, Pod>();
  async function read(): Promise<Map<string, Pod>> {
    const found = new Map<string, Pod>();
    const add = async (text: string, source: 'file' | 'http', origin: string) => {
      // Most nodes have no static pods, and need no parser.
      const { load } = await import('js-yaml');
      const value = load(text) as Partial<Pod> & { items?: Partial<Pod>[] };
      for (const raw of value?.items ?? [value]) {
        const pod = staticPod(raw, source, origin, nodeName, clock.now());
        found.set(pod.metadata.uid ?? '', known.get(pod.metadata.uid ?? '') ?? pod);
      }
    };
    if (options.directory) {
      for (const name of (await readdir(options.directory).catch(() => [])).sort()) {
        if (name.startsWith('.')) continue;
        const path = `${options.directory}/${name}`;
        try {
          await add(await readFile(path, 'utf8'), 'file', path);
        } catch (e) {
          log.warn('static pod cannot be read', { path, error: messageOf(e) });
        }
      }
    }
    if (options.url) {
      const response = await fetch(options.url, { signal });
      if (response.ok) await add(await response.text(), 'http', options.url);
    }
    return found;
  }
  async function mirror(pod: Pod): Promise<void> {
    const pods = client.resource('v1/pods', pod.metadata.namespace);
    const name = pod.metadata.name ?? '';
    try {
      await pods.create(mirrorOf(pod, kubelet.node.current?.metadata.uid));
    } catch (e) {
      if (!isAlreadyExists(e)) throw e;
      const shown = await pods.get(name);
      const current =
        shown.metadata.annotations?.[configMirrorAnnotation] === pod.metadata.annotations?.[configHashAnnotation];
      if (isMirrorPod(shown) && !current) await pods.delete(name, { gracePeriodSeconds: 0 });
    }
  }
  async function round(): Promise<void> {
    const found = await read();
    for (const [uid, pod] of known) {
      if (found.has(uid)) continue;
      known.delete(uid);
      kubelet.setStaticPod(uid, undefined);
      const { namespace, name = '' } = pod.metadata;
      const replaced = [...found.values()].some(p => p.metadata.name === name && p.metadata.namespace === namespace);
      if (!replaced)
        await client
          .resource('v1/pods', namespace)
          .delete(name, { gracePeriodSeconds: 0 })
          .catch(() => undefined);
    }
    for (const [uid, pod] of found) {
      if (!known.has(uid)) kubelet.setStaticPod(uid, pod);
      known.set(uid, pod);
      await mirror(pod).catch((e: unknown) => log.debug('mirror pod could not be written', { error: messageOf(e) }));
    }
  }
  while (!signal.aborted) {
    await round().catch((e: unknown) => log.warn('static pods could not be read', { error: messageOf(e) }));
    await sleep(clock, options.intervalMs ?? defaultIntervalMs, signal).catch(() => undefined);
  }
}
