/** Asks CSI drivers, by VolumeAttachments, to attach volumes to the nodes of their pods, and to detach them afterwards. */
import { keyOf } from '../../api/object.ts';
import type { Node, PersistentVolume, Pod } from '../../api/types/core-v1.ts';
import type { VolumeAttachment } from '../../api/types/storage-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isAlreadyExists, isNotFound } from '../../base/errors.ts';
import type { Controller, ControllerContext } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { claimKeysOf } from '../support/volumes.ts';
import {
  attachmentName,
  conflicting,
  conflictText,
  detachIn,
  managedAnnotation,
  uniqueVolumeName,
  type Wanted,
  wantedVolumes,
} from './plan.ts';

/** A volume that another node has is asked for again after so long. */
const retryMs = 15_000;
const isPresent = <T>(value: T | undefined): value is T => value !== undefined;

export const attachDetachController: Controller = {
  name: 'persistentvolume-attach-detach-controller',
  account: 'attachdetach-controller',
  component: 'attachdetach-controller',
  aliases: ['attachdetach'],
  setUp(context) {
    const { informers, clock } = context;
    const pods = informers.informer('v1/pods');
    const nodes = informers.informer('v1/nodes');
    const claims = informers.informer('v1/persistentvolumeclaims');
    const volumes = informers.informer('v1/persistentvolumes');
    const drivers = informers.informer('storage.k8s.io/v1/csidrivers');
    const attachments = informers.informer('storage.k8s.io/v1/volumeattachments');
    pods.addIndex('node', pod => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
    pods.addIndex('claim', claimKeysOf);
    attachments.addIndex('node', a => [a.spec.nodeName]);
    attachments.addIndex('volume', a =>
      a.spec.source.persistentVolumeName ? [a.spec.source.persistentVolumeName] : [],
    );
    const unwantedSince = new Map<string, number>();

    const volumesOf = (pod: Pod): PersistentVolume[] =>
      claimKeysOf(pod)
        .map(key => claims.store.get(key))
        .map(claim => (claim?.status?.phase === 'Bound' ? volumes.store.get(claim.spec?.volumeName ?? '') : undefined))
        .filter(isPresent);
    const needsAttach = (driver: string) => drivers.store.get(driver)?.spec.attachRequired !== false;
    const nodesOfClaim = (key: string) =>
      pods.store
        .byIndex('claim', key)
        .map(pod => pod.spec.nodeName)
        .filter(isPresent);

    /** Gives the volumes as they then are attached, by the name that nodes use, and when to look again. */
    async function detachUnwanted(node: string, wanted: ReadonlyMap<string, Wanted>) {
      let again: number | undefined;
      const now = clock.monotonic();
      for (const attachment of attachments.store.byIndex('node', node)) {
        const { name } = attachment.metadata;
        const volume = attachment.spec.source.persistentVolumeName;
        if (volume === undefined || attachment.metadata.deletionTimestamp) continue;
        if (wanted.has(volume)) {
          unwantedSince.delete(name);
          continue;
        }
        const since = unwantedSince.get(name) ?? now;
        unwantedSince.set(name, since);
        const handle = volumes.store.get(volume)?.spec?.csi?.volumeHandle ?? '';
        const left = detachIn(nodes.store.get(node), uniqueVolumeName(attachment.spec.attacher, handle), now - since);
        if (left === 0) await detach(context, attachment);
        else if (left !== undefined) again = Math.min(again ?? left, left);
      }
      return again;
    }

    return {
      sources: [
        watch<'v1/pods'>(pods, (pod, old, kind) => {
          if (!pod.spec.volumes?.some(v => v.persistentVolumeClaim || v.ephemeral) || !pod.spec.nodeName) return [];
          const matters =
            kind !== 'update' || old?.spec.nodeName !== pod.spec.nodeName || old.status?.phase !== pod.status?.phase;
          return matters ? [pod.spec.nodeName] : [];
        }),
        watch<'v1/nodes'>(nodes, (node, old, kind) => {
          const inUse = (n: Node | undefined) => [
            n?.status?.volumesInUse,
            n?.metadata.annotations?.[managedAnnotation],
            n?.spec.taints,
          ];
          return kind !== 'update' || !deepEqual(inUse(node), inUse(old)) ? [keyOf(node)] : [];
        }),
        watch<'v1/persistentvolumeclaims'>(claims, (claim, old) =>
          old?.status?.phase === claim.status?.phase ? [] : nodesOfClaim(keyOf(claim)),
        ),
        watch<'storage.k8s.io/v1/volumeattachments'>(attachments, attachment => [attachment.spec.nodeName]),
      ],
      async reconcile(name) {
        const node = nodes.store.get(name);
        const managed = node?.metadata.annotations?.[managedAnnotation] === 'true';
        if (node && !managed) return;
        const wanted = wantedVolumes(node ? pods.store.byIndex('node', name) : [], volumesOf, needsAttach);
        if (node) await reportAttached(context, node, wanted, attachments.store.byIndex('node', name));
        const again = await detachUnwanted(name, wanted);
        let blocked = false;
        for (const want of wanted.values()) {
          const others = conflicting(want.volume, name, attachments.store.byIndex('volume', want.volume.metadata.name));
          const existing = attachments.store.get(attachmentName(want.driver, want.handle, name));
          if (!existing && others.length > 0) {
            blocked = true;
            const holders = others.flatMap(({ spec }) =>
              pods.store.byIndex('node', spec.nodeName).filter(pod => volumesOf(pod).includes(want.volume)),
            );
            reportConflict(context, want, holders);
          } else if (!existing) await attach(context, want, name);
        }
        const next = [again, blocked ? retryMs : undefined].filter(isPresent);
        return next.length > 0 ? { requeueAfter: Math.min(...next) } : undefined;
      },
    };
  },
};

async function attach({ client }: ControllerContext, { volume, driver, handle }: Wanted, nodeName: string) {
  const metadata = { name: attachmentName(driver, handle, nodeName) };
  const source = { persistentVolumeName: volume.metadata.name };
  await client
    .volumeattachments()
    .create({ metadata, spec: { attacher: driver, nodeName, source } })
    .catch(e => {
      if (!isAlreadyExists(e)) throw e;
    });
}

async function detach({ client }: ControllerContext, { metadata }: VolumeAttachment): Promise<void> {
  const preconditions = metadata.uid ? { preconditions: { uid: metadata.uid } } : {};
  await client
    .volumeattachments()
    .delete(metadata.name, preconditions)
    .catch(e => {
      if (!isNotFound(e)) throw e;
    });
}

/** The node's status tells its kubelet what is attached; a volume leaves it before it is detached. */
async function reportAttached(
  { client, recorder }: ControllerContext,
  node: Node,
  wanted: ReadonlyMap<string, Wanted>,
  attachments: readonly VolumeAttachment[],
): Promise<void> {
  const byVolume = new Map(attachments.map(a => [a.spec.source.persistentVolumeName, a]));
  const present = node.status?.volumesAttached ?? [];
  const others = present.filter(v => !v.name.startsWith('kubernetes.io/csi/'));
  const ours: { name: string; devicePath: string }[] = [];
  for (const [volume, { driver, handle, pods }] of wanted) {
    const attachment = byVolume.get(volume);
    const name = uniqueVolumeName(driver, handle);
    const failure = attachment?.status?.attachError?.message;
    if (attachment?.status?.attached) {
      ours.push({ name, devicePath: '' });
      if (present.some(v => v.name === name)) continue;
      const message = `AttachVolume.Attach succeeded for volume "${volume}" `;
      for (const pod of pods) recorder.event(pod, 'Normal', 'SuccessfulAttachVolume', message);
    } else if (failure) {
      const message = `AttachVolume.Attach failed for volume "${volume}" : ${failure}`;
      for (const pod of pods) recorder.event(pod, 'Warning', 'FailedAttachVolume', message);
    }
  }
  // Volumes that are still in use stay listed until the node has let go of them.
  const inUse = present.filter(
    v => node.status?.volumesInUse?.includes(v.name) && !ours.some(o => o.name === v.name) && !others.includes(v),
  );
  const volumesAttached = [...others, ...ours, ...inUse].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (
    deepEqual(
      volumesAttached,
      [...present].sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
  )
    return;
  await client
    .nodes()
    .patch(
      node.metadata.name,
      'merge',
      { status: { volumesAttached: volumesAttached.length > 0 ? volumesAttached : null } },
      { subresource: 'status' },
    );
}

function reportConflict({ recorder }: ControllerContext, { volume, pods }: Wanted, holders: readonly Pod[]): void {
  for (const pod of pods) {
    const message = conflictText(volume.metadata.name, pod, holders);
    recorder.event(pod, 'Warning', 'FailedAttachVolume', message);
  }
}
