/** Every served group version has its APIService object: those of this server are local and always available. */
import { rfc3339 } from '../../base/clock.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { groupsOf } from '../server/discovery.ts';
import type { Core } from '../server/scope.ts';
import { kindPrefix } from '../storage/keys.ts';

const automanaged = 'kube-aggregator.kubernetes.io/automanaged';
const customPriority = { group: 1_000, version: 100 };
const builtinPriority = { group: 17_000, version: 15 };

/** Brings the objects in line with what is served now: makes what is missing, removes what this server made and serves no more. */
export async function reconcileApiServices(core: Core, client: Client): Promise<void> {
  const services = client.resource('apiregistration.k8s.io/v1/apiservices');
  const cache = core.cacher.kind(kindPrefix('apiregistration.k8s.io', 'apiservices'));
  const wanted = new Set<string>();
  for (const { name: group, versions } of groupsOf(core.resources))
    for (const [i, version] of versions.entries()) {
      const name = `${version}.${group}`;
      wanted.add(name);
      if (cache.get(name)) continue;
      const custom = core.resources.all().some(s => s.info.group === group && s.custom);
      const priority = custom ? customPriority : builtinPriority;
      const created = await services
        .create({
          apiVersion: 'apiregistration.k8s.io/v1',
          kind: 'APIService',
          metadata: { name, labels: { [automanaged]: custom ? 'true' : 'onstart' } },
          spec: {
            ...(group && { group }),
            version,
            groupPriorityMinimum: group === '' ? 18_000 : priority.group,
            versionPriority: Math.max(1, priority.version - i),
          },
        })
        .catch(ignoreRace);
      if (!created) continue;
      const condition = {
        type: 'Available',
        status: 'True',
        reason: 'Local',
        message: 'Local APIServices are always available',
        lastTransitionTime: rfc3339(core.clock.now()),
      };
      await services.updateStatus({ ...created, status: { conditions: [condition] } }).catch(ignoreRace);
    }
  for (const entry of cache.root.values()) {
    if (wanted.has(entry.key)) continue;
    if (entry.object().metadata.labels?.[automanaged] === 'true') await services.delete(entry.key).catch(ignoreRace);
  }
}

function ignoreRace(e: unknown): undefined {
  if (!isAlreadyExists(e) && !isConflict(e) && !isNotFound(e)) throw e;
  return undefined;
}
