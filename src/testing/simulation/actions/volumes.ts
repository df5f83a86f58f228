/** The lives of volumes and claims. */
import type { PersistentVolume, PersistentVolumeClaim } from '../../../api/types/core-v1.ts';
import type { Action, ActionContext } from '../contract.ts';
import { between, chance, newName, openNamespaces, pick, pickObject, podSpec } from './templates.ts';

async function volumeLife(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const idle = view
    .list<PersistentVolume>('persistentvolumes')
    .filter(({ status, metadata }) => status?.phase !== 'Bound' && !metadata.deletionTimestamp);
  const victim = chance(random, 0.3) ? pick(idle, random) : undefined;
  if (victim) {
    await client.persistentvolumes().delete(victim.metadata.name);
    return `delete volume ${victim.metadata.name}`;
  }
  const name = newName(context, 'persistentvolumes', '', 'disk');
  if (!name) return undefined;
  const storage = `${between(random, 1, 3)}Gi`;
  await client.persistentvolumes().create({
    metadata: { name },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: `/disks/${name}` },
    },
  });
  return `create volume ${name} of ${storage}`;
}

async function claimLife(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const victim = chance(random, 0.4) ? pickObject<PersistentVolumeClaim>(context, 'persistentvolumeclaims') : undefined;
  if (victim) {
    const { name, namespace } = victim.metadata;
    await client.persistentvolumeclaims(namespace).delete(name);
    return `delete claim ${namespace}/${name}`;
  }
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'persistentvolumeclaims', namespace, 'claim');
  if (!name) return undefined;
  const storage = `${between(random, 1, 2)}Gi`;
  await client.persistentvolumeclaims(namespace).create({
    metadata: { name },
    spec: { storageClassName: '', accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
  });
  return `claim ${storage} as ${namespace}/${name}`;
}

async function claimingPod(context: ActionContext): Promise<string | undefined> {
  const { client, random } = context;
  const claim = pickObject<PersistentVolumeClaim>(context, 'persistentvolumeclaims');
  if (!claim) return undefined;
  const { name: claimName, namespace = '' } = claim.metadata;
  const name = newName(context, 'pods', namespace, 'keeper');
  if (!name) return undefined;
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName } }];
  await client.pods(namespace).create({ metadata: { name }, spec: podSpec(random, { volumes }) });
  return `create pod ${namespace}/${name} with claim ${claimName}`;
}

export const volumeActions: readonly Action[] = [
  { name: 'volume', weight: 1.5, run: volumeLife },
  { name: 'claim', weight: 2, run: claimLife },
  { name: 'claiming-pod', weight: 1.5, run: claimingPod },
];
