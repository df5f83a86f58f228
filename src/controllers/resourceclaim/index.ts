/** Makes pods' resource claims from templates, and lets go of claims whose pods are done (pkg/controller/resourceclaim of v1.35). */
import { keyOf, splitKey } from '../../api/object.ts';
import type { Pod, PodResourceClaim, PodResourceClaimStatus } from '../../api/types/core-v1.ts';
import type { ResourceClaim } from '../../api/types/resource-v1.ts';
import { isNotFound, messageOf } from '../../base/errors.ts';
import type { Controller, ControllerContext, Loop } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { isFinished } from '../support/pods.ts';

const claimAnnotation = 'resource.kubernetes.io/pod-claim-name';
const finalizer = 'resource.kubernetes.io/delete-protection';

/** Leaves room for a dash and five characters of 63. */
const maxPrefix = 57;

const nameInStatus = (pod: Pod, name: string) => pod.status?.resourceClaimStatuses?.find(s => s.name === name);
const wantsClaims = (pod: Pod) => !isFinished(pod) && !pod.metadata.deletionTimestamp;
const ownedBy = (claim: ResourceClaim, uid: string | undefined) =>
  claim.metadata.ownerReferences?.some(ref => ref.controller && ref.uid === uid) === true;

export const resourceClaimController: Controller = {
  name: 'resourceclaim-controller',
  account: 'resource-claim-controller',
  component: 'resource_claim',
  setUp: context => [podLoop(context), claimLoop(context)],
};

/** A name's part before its random end: both names, cut in proportion when they are too long together. */
export function claimPrefix(pod: string, claim: string): string {
  const whole = `${pod}-${claim}-`;
  if (whole.length <= maxPrefix) return whole;
  const cut = (text: string) => text.slice(0, Math.floor((text.length * maxPrefix) / whole.length));
  return `${cut(pod)}-${cut(claim)}`;
}

function podLoop({ informers, client, recorder }: ControllerContext): Loop {
  const pods = informers.informer('v1/pods');
  const claims = informers.informer('resource.k8s.io/v1/resourceclaims');
  const templates = informers.informer('resource.k8s.io/v1/resourceclaimtemplates');
  const waiting = (pod: Pod) =>
    wantsClaims(pod) &&
    pod.spec.resourceClaims?.some(c => c.resourceClaimTemplateName && !nameInStatus(pod, c.name)) === true;
  pods.addIndex('claim-template', pod =>
    waiting(pod)
      ? (pod.spec.resourceClaims ?? []).map(c => `${pod.metadata.namespace}/${c.resourceClaimTemplateName ?? ''}`)
      : [],
  );

  /** The claim that an earlier attempt made, or a new one. */
  async function ensure(pod: Pod, { name, resourceClaimTemplateName = '' }: PodResourceClaim): Promise<string> {
    const { namespace = '', uid = '' } = pod.metadata;
    const mine = (claim: ResourceClaim) =>
      ownedBy(claim, uid) && claim.metadata.annotations?.[claimAnnotation] === name;
    const cached = claims.store.byIndex('owner', uid).find(mine);
    // The cache may be behind an attempt of ours whose answer was lost.
    const found = cached ?? (await client.resourceclaims(namespace).list()).items.find(mine);
    if (found) return found.metadata.name;
    const template = templates.store.get(`${namespace}/${resourceClaimTemplateName}`);
    if (!template)
      throw new Error(
        `resource claim template "${resourceClaimTemplateName}": resourceclaimtemplate.resource.k8s.io "${resourceClaimTemplateName}" not found`,
      );
    const { labels, annotations } = template.spec.metadata ?? {};
    const made = await client.resourceclaims(namespace).create({
      metadata: {
        generateName: claimPrefix(pod.metadata.name, name),
        namespace,
        ...(labels && { labels }),
        annotations: { ...annotations, [claimAnnotation]: name },
        // Nobody waits for a claim: the reference does not block its pod.
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid, controller: true }],
      },
      spec: template.spec.spec,
    });
    return made.metadata.name;
  }

  return {
    sources: [
      watch<'v1/pods'>(pods, (pod, _old, kind) => (kind !== 'delete' && waiting(pod) ? [keyOf(pod)] : [])),
      watch<'resource.k8s.io/v1/resourceclaimtemplates'>(templates, template =>
        pods.store.byIndex('claim-template', keyOf(template)).map(keyOf),
      ),
    ],
    async reconcile(key) {
      const pod = pods.store.get(key);
      if (!pod || !waiting(pod)) return;
      const statuses: PodResourceClaimStatus[] = [...(pod.status?.resourceClaimStatuses ?? [])];
      for (const claim of pod.spec.resourceClaims ?? []) {
        if (!claim.resourceClaimTemplateName || nameInStatus(pod, claim.name)) continue;
        try {
          statuses.push({ name: claim.name, resourceClaimName: await ensure(pod, claim) });
        } catch (e) {
          recorder.event(
            pod,
            'Warning',
            'FailedResourceClaimCreation',
            `PodResourceClaim ${claim.name}: ${messageOf(e)}`,
          );
          throw e;
        }
      }
      const { name, namespace, uid } = pod.metadata;
      const patch = { metadata: { uid }, status: { resourceClaimStatuses: statuses } };
      await client.pods(namespace).patch(name, 'strategic', patch, { subresource: 'status' });
    },
  };
}

function claimLoop({ informers, client }: ControllerContext): Loop {
  const pods = informers.informer('v1/pods');
  const claims = informers.informer('resource.k8s.io/v1/resourceclaims');
  const claimsOf = (pod: Pod): string[] => {
    const names = (pod.spec.resourceClaims ?? []).map(
      c => c.resourceClaimName ?? nameInStatus(pod, c.name)?.resourceClaimName,
    );
    return names.flatMap(name => (name ? [`${pod.metadata.namespace}/${name}`] : []));
  };

  /** By the server's word when the cache has no such pod. */
  async function isDone(namespace: string, name: string, uid: string): Promise<boolean> {
    const cached = pods.store.get(`${namespace}/${name}`);
    const pod =
      cached?.metadata.uid === uid
        ? cached
        : await client
            .pods(namespace)
            .get(name)
            .catch(e => {
              if (isNotFound(e)) return undefined;
              throw e;
            });
    if (pod?.metadata.uid !== uid) return true;
    return isFinished(pod) || (pod.metadata.deletionTimestamp !== undefined && !pod.spec.nodeName);
  }

  /** Gives the claim as it then is. */
  async function release(claim: ResourceClaim): Promise<ResourceClaim> {
    const { namespace = '' } = claim.metadata;
    const reservedFor = [];
    for (const user of claim.status?.reservedFor ?? []) {
      const gone = user.resource === 'pods' && !user.apiGroup && (await isDone(namespace, user.name, user.uid));
      if (!gone) reservedFor.push(user);
    }
    if (reservedFor.length === (claim.status?.reservedFor?.length ?? 0)) return claim;
    const { allocation, reservedFor: _old, devices, ...rest } = claim.status ?? {};
    const kept = reservedFor.length > 0;
    const status = {
      ...rest,
      ...(kept && { reservedFor }),
      ...(kept && allocation && { allocation }),
      ...(kept && devices && { devices }),
    };
    return client.resourceclaims(namespace).updateStatus({ ...claim, status });
  }

  return {
    sources: [
      watch<'resource.k8s.io/v1/resourceclaims'>(claims, (claim, _old, kind) =>
        kind === 'delete' ? [] : [keyOf(claim)],
      ),
      watch<'v1/pods'>(pods, (pod, _old, kind) =>
        kind === 'delete' || isFinished(pod) || pod.metadata.deletionTimestamp ? claimsOf(pod) : [],
      ),
    ],
    async reconcile(key) {
      const cached = claims.store.get(key);
      if (!cached) return;
      const { namespace, name } = splitKey(key);
      const claim = await release(cached);
      const inUse = claim.status?.allocation !== undefined || (claim.status?.reservedFor?.length ?? 0) > 0;
      const { finalizers = [] } = claim.metadata;
      // One that was never in use is left alone: the scheduler adds the finalizer before it allocates.
      const isOver = claim !== cached || claim.metadata.deletionTimestamp !== undefined;
      if (!inUse && isOver && finalizers.includes(finalizer)) {
        const metadata = { ...claim.metadata, finalizers: finalizers.filter(f => f !== finalizer) };
        await client.resourceclaims(namespace).update({ ...claim, metadata });
      }
      const owner = claim.metadata.ownerReferences?.find(ref => ref.controller && ref.kind === 'Pod');
      if (!owner || claim.metadata.deletionTimestamp || !(await isDone(namespace, owner.name, owner.uid))) return;
      await client
        .resourceclaims(namespace)
        .delete(name)
        .catch(e => {
          if (!isNotFound(e)) throw e;
        });
    },
  };
}
