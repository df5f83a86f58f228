import type { CustomResourceDefinition } from '../../api/types/apiextensions-v1.ts';
import { sleep } from '../../base/clock.ts';
import { isNotFound, messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { approvalCondition } from '../registry/apiextensions/approval.ts';
import { isEstablished } from '../registry/apiextensions/validate.ts';
import { equalObjects } from '../server/equality.ts';
import type { Core } from '../server/scope.ts';
import { kindPrefix } from '../storage/keys.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { condition, setConditions } from './conditions.ts';
import { acceptNames } from './naming.ts';
import { customServed, selectableValues } from './served.ts';

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';
const group = 'apiextensions.k8s.io';
const plural = 'customresourcedefinitions';

export interface DefinitionController {
  /** Serves what is established already, then follows changes. */
  start(): Promise<void>;
  /** Resolves when no change is being worked on. */
  idle(): Promise<void>;
}

interface Known {
  readonly group: string;
  readonly plural: string;
  versions: string[];
  /** The spec and accepted names that are served, as text. */
  text: string;
  acceptsCreates: boolean;
  /** Ends the watches of what is served no longer as it was. */
  replaced: AbortController;
}

export function createDefinitionController(options: {
  core: Core;
  client: Client;
  storage: (group: string, plural: string) => ObjectStore;
  /** Called when other group versions may be served than before. */
  syncApiServices: () => Promise<void>;
}): DefinitionController {
  const { core, client, storage, syncApiServices } = options;
  const { cacher, resources, log, clock, stopping } = core;
  const cache = cacher.kind(kindPrefix(group, plural));
  const definitions = client.resource('apiextensions.k8s.io/v1/customresourcedefinitions');
  const known = new Map<string, Known>();
  const dirty = new Set<string>();
  let working: Promise<void> | undefined;

  function get(name: string): { crd: CustomResourceDefinition; revision: number } | undefined {
    const entry = cache.get(name);
    return entry && { crd: entry.object() as unknown as CustomResourceDefinition, revision: entry.modRevision };
  }
  function all(): CustomResourceDefinition[] {
    return cache.root.values().map(entry => entry.object() as unknown as CustomResourceDefinition);
  }

  function unserve(name: string): void {
    const served = known.get(name);
    if (!served) return;
    for (const version of served.versions) resources.remove(served.group, version, served.plural);
    known.delete(name);
    served.replaced.abort();
  }
  function serve(name: string, crd: CustomResourceDefinition, revision: number): void {
    const { spec, status, metadata } = crd;
    const text = JSON.stringify([spec, status?.acceptedNames]);
    const acceptsCreates = metadata.deletionTimestamp === undefined;
    const before = known.get(name);
    const same = before?.text === text;
    if (same && before.acceptsCreates === acceptsCreates) return;
    const replaced = same ? before.replaced : new AbortController();
    const store = storage(spec.group, spec.names.plural);
    const versions = spec.versions.filter(v => v.served);
    // Objects written before this definition was seen may have been written under another schema.
    const since = Math.max(revision, cacher.revision);
    const served = versions.map(version => customServed(crd, version, store, since, replaced.signal));
    for (const version of served) resources.set(version);
    for (const version of before?.versions ?? [])
      if (!versions.some(v => v.name === version)) resources.remove(spec.group, version, spec.names.plural);
    store.cache.setFields(selectableValues(served));
    known.set(name, {
      group: spec.group,
      plural: spec.names.plural,
      versions: versions.map(v => v.name),
      text,
      acceptsCreates,
      replaced,
    });
    if (!same) before?.replaced.abort();
  }

  async function reconcile(name: string): Promise<void> {
    const found = get(name);
    if (!found) {
      unserve(name);
      retryNames(name.slice(name.indexOf('.') + 1));
      await syncApiServices();
      return;
    }
    const { crd, revision } = found;
    if (crd.metadata.deletionTimestamp) {
      if (isEstablished(crd)) serve(name, crd, revision);
      await cleanUp(name, crd);
      return;
    }
    const status = statusOf(crd, all(), clock.now());
    const next = { ...crd, status };
    // Served before anybody can read that it is established.
    if (isEstablished(next)) serve(name, next, revision);
    else unserve(name);
    if (!equalObjects(status, crd.status ?? {})) {
      await definitions.updateStatus(next);
      if (!equalObjects(status.acceptedNames, crd.status?.acceptedNames)) retryNames(crd.spec.group);
    }
    await syncApiServices();
  }

  /** Names of the group may have become free for those that wait for them. */
  function retryNames(ofGroup: string): void {
    const waits = (crd: CustomResourceDefinition) =>
      crd.status?.conditions?.some(c => c.type === 'NamesAccepted' && c.status === 'False');
    for (const crd of all()) if (crd.spec.group === ofGroup && waits(crd)) enqueue(crd.metadata.name);
  }

  /** Deletes all objects of the kind; when none is left, lets the definition go. */
  async function cleanUp(name: string, crd: CustomResourceDefinition): Promise<void> {
    if (!crd.metadata.finalizers?.includes(cleanupFinalizer)) return;
    if (!isEstablished(crd)) {
      await letGo(crd, 'NeverEstablished', 'resource was never established');
      return;
    }
    const current = await terminating(
      crd,
      'True',
      'InstanceDeletionInProgress',
      'CustomResource deletion is in progress',
    );
    await deleteObjects(current);
    if (storage(crd.spec.group, crd.spec.names.plural).cache.root.size > 0) {
      // Instances with finalizers take their time.
      clock.setTimer(() => enqueue(name), 1_000, { background: true });
      return;
    }
    await letGo(current, 'InstanceDeletionCompleted', 'removed all instances');
    unserve(name);
  }

  /** The definition with this condition; written when that is news, or the finalizers differ. */
  async function terminating(
    crd: CustomResourceDefinition,
    state: string,
    reason: string,
    message: string,
    finalizers = crd.metadata.finalizers ?? [],
  ): Promise<CustomResourceDefinition> {
    const wanted = [condition('Terminating', state, reason, message)];
    const status = { ...crd.status, conditions: setConditions(crd.status?.conditions ?? [], wanted, clock.now()) };
    if (equalObjects(status, crd.status ?? {}) && finalizers.length === crd.metadata.finalizers?.length) return crd;
    return definitions.updateStatus({ ...crd, metadata: { ...crd.metadata, finalizers }, status });
  }

  async function letGo(crd: CustomResourceDefinition, reason: string, message: string): Promise<void> {
    const finalizers = (crd.metadata.finalizers ?? []).filter(f => f !== cleanupFinalizer);
    await terminating(crd, 'False', reason, message, finalizers);
  }

  async function deleteObjects({ spec, metadata: { name } }: CustomResourceDefinition): Promise<void> {
    const version = spec.versions.find(v => v.served && known.get(name)?.versions.includes(v.name));
    if (!version) return;
    const namespaced = spec.scope === 'Namespaced';
    const entries = storage(spec.group, spec.names.plural).cache.root.values();
    const namespaces = new Set(entries.map(e => (namespaced ? e.key.slice(0, e.key.indexOf('/')) : '')));
    const { plural: ofKind, kind } = spec.names;
    const descriptor = { group: spec.group, version: version.name, plural: ofKind, kind, namespaced };
    for (const namespace of namespaces)
      await client.resource(descriptor, namespace || undefined).deleteCollection({ propagationPolicy: 'Background' });
  }

  async function work(): Promise<void> {
    for (let delay = 50; dirty.size > 0 && !stopping.aborted; ) {
      const [name = ''] = dirty;
      dirty.delete(name);
      try {
        await reconcile(name);
        delay = 50;
      } catch (e) {
        if (isNotFound(e)) continue;
        log.debug('a custom resource definition is worked on again', { name, error: messageOf(e) });
        dirty.add(name);
        await sleep(clock, delay, stopping).catch(() => {});
        delay = Math.min(delay * 2, 5_000);
      }
    }
    working = undefined;
  }
  function enqueue(name: string): void {
    dirty.add(name);
    working ??= Promise.resolve().then(work);
  }
  function follow(): void {
    const stop = cache.subscribe({
      onEvent(event) {
        const { key } = event.entry;
        const found = event.deleted ? undefined : get(key);
        if (event.deleted) unserve(key);
        else if (found && isEstablished(found.crd)) serve(key, found.crd, found.revision);
        enqueue(key);
      },
      onReset() {
        if (stopping.aborted) return;
        follow();
        for (const name of new Set([...known.keys(), ...cache.root.values().map(e => e.key)])) enqueue(name);
      },
    });
    stopping.addEventListener('abort', stop, { once: true });
  }
  return {
    async start() {
      follow();
      for (const entry of cache.root.values()) {
        const found = get(entry.key);
        if (found && isEstablished(found.crd)) serve(entry.key, found.crd, found.revision);
        enqueue(entry.key);
      }
    },
    async idle() {
      while (working) await working;
    },
  };
}

function statusOf(
  crd: CustomResourceDefinition,
  all: readonly CustomResourceDefinition[],
  now: number,
): NonNullable<CustomResourceDefinition['status']> {
  const { accepted, conflict } = acceptNames(crd, all);
  const approval = approvalCondition(crd);
  const conditions = [
    conflict
      ? condition('NamesAccepted', 'False', conflict.reason, conflict.message)
      : condition('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found'),
    isEstablished(crd) || !conflict
      ? condition('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted')
      : condition('Established', 'False', 'NotAccepted', 'not all names are accepted'),
    ...(approval
      ? [condition('KubernetesAPIApprovalPolicyConformant', approval.status, approval.reason, approval.message)]
      : []),
  ];
  return {
    ...crd.status,
    conditions: setConditions(crd.status?.conditions ?? [], conditions, now),
    acceptedNames: accepted,
  };
}
