/** Every served group version has its APIService object: those of this server are local and always available. */
import type { APIService } from '../../api/types/apiregistration-v1.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { groupsOf } from '../server/discovery.ts';
import { equalObjects } from '../server/equality.ts';
import { builtinPriority, customPriority } from '../server/group-priorities.ts';
import type { Core } from '../server/scope.ts';
import { kindPrefix } from '../storage/keys.ts';

const automanaged = 'kube-aggregator.kubernetes.io/automanaged';
/** Kept in line always, or only when the server starts: after that a user may change it (autoregister_controller.go). */
type Management = 'true' | 'onstart';

/** Gives what brings the objects in line with what is served now: makes, corrects and removes those this server manages. */
export function apiServiceSync(core: Core, client: Client): () => Promise<void> {
  const services = client.resource('apiregistration.k8s.io/v1/apiservices');
  const cache = core.cacher.kind(kindPrefix('apiregistration.k8s.io', 'apiservices'));
  let first = true;
  const isMine = (label: string | undefined) => label === 'true' || (first && label === 'onstart');

  return async () => {
    const wanted = new Map(wantedServices(core).map(service => [service.metadata.name, service]));
    for (const [name, service] of wanted) {
      const found = cache.get(name)?.object() as APIService | undefined;
      if (!found) await services.create(service).catch(ignoreRace);
      else if (isMine(found.metadata.labels?.[automanaged]) && !equalObjects(found.spec, service.spec))
        await services.update({ ...found, spec: service.spec }).catch(ignoreRace);
    }
    for (const entry of cache.root.values())
      if (!wanted.has(entry.key) && isMine(entry.object().metadata.labels?.[automanaged]))
        await services.delete(entry.key).catch(ignoreRace);
    first = false;
  };
}

function wantedServices({ resources }: Core): APIService[] {
  return groupsOf(resources).flatMap(({ name: group, versions }) =>
    versions.flatMap(version => {
      const custom = resources
        .all()
        .filter(s => s.info.group === group && s.info.version === version)
        .every(s => s.custom);
      const priority = custom ? customPriority : builtinPriority(group, version);
      const management: Management = custom ? 'true' : 'onstart';
      if (!priority) return [];
      return {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: `${version}.${group}`, labels: { [automanaged]: management } },
        spec: {
          ...(group && { group }),
          version,
          groupPriorityMinimum: priority.group,
          versionPriority: priority.version,
        },
      };
    }),
  );
}

function ignoreRace(e: unknown): undefined {
  if (!isAlreadyExists(e) && !isConflict(e) && !isNotFound(e)) throw e;
  return undefined;
}
