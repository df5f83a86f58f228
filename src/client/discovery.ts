import { parseApiVersion } from '../api/schema.ts';
import type { APIGroupList, APIResourceList, APIVersions } from '../api/types/meta-v1.ts';
import { isApiError, messageOf } from '../base/errors.ts';
import type { Client, ResourceDescriptor } from './contract.ts';

/** A resource that the server serves, in the group's preferred version. */
export interface DiscoveredResource extends ResourceDescriptor {
  readonly singular: string;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Names of its subresources. */
  readonly subresources: readonly string[];
}
export interface Discovery {
  readonly resources: readonly DiscoveredResource[];
  /** Group versions whose list could not be read (an aggregated API that is down), with the reason. */
  readonly failures: ReadonlyMap<string, string>;
}
export interface DiscoverOptions {
  /** Every version of each group, not only the preferred one. */
  readonly allVersions?: boolean;
  readonly signal?: AbortSignal;
}

interface AggregatedResource {
  resource: string;
  responseKind?: { kind?: string };
  scope: string;
  singularResource?: string;
  verbs?: string[];
  shortNames?: string[];
  categories?: string[];
  subresources?: { subresource: string }[];
}
interface Aggregated {
  kind?: string;
  items?: {
    metadata?: { name?: string };
    versions?: { version: string; freshness?: string; resources?: AggregatedResource[] }[];
  }[];
}
const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

/** Two requests where the server has aggregated discovery, else one per group version. */
export async function discover(client: Client, options: DiscoverOptions = {}): Promise<Discovery> {
  const resources: DiscoveredResource[] = [];
  const failures = new Map<string, string>();
  const signal = options.signal ? { signal: options.signal } : {};
  for (const root of ['/api', '/apis']) {
    const answer = await client.request<Aggregated | APIVersions | APIGroupList>('GET', root, {
      headers: { accept },
      ...signal,
    });
    if (answer.kind === 'APIGroupDiscoveryList') fromAggregated(answer as Aggregated, options, resources, failures);
    else
      await fromLists(client, root, groupVersions(answer as APIVersions & APIGroupList, options), resources, failures);
  }
  return { resources, failures };
}

function fromAggregated(
  { items = [] }: Aggregated,
  { allVersions }: DiscoverOptions,
  out: DiscoveredResource[],
  failures: Map<string, string>,
): void {
  for (const { metadata, versions = [] } of items) {
    const group = metadata?.name ?? '';
    for (const { version, freshness, resources = [] } of allVersions ? versions : versions.slice(0, 1)) {
      if (freshness === 'Stale') failures.set(`${group}/${version}`, 'stale GroupVersion discovery');
      for (const r of resources) {
        out.push({
          group,
          version,
          plural: r.resource,
          kind: r.responseKind?.kind ?? '',
          namespaced: r.scope === 'Namespaced',
          singular: r.singularResource ?? '',
          verbs: r.verbs ?? [],
          shortNames: r.shortNames ?? [],
          categories: r.categories ?? [],
          subresources: (r.subresources ?? []).map(s => s.subresource),
        });
      }
    }
  }
}

function groupVersions(
  answer: Partial<APIVersions> & { groups?: APIGroupList['groups'] },
  { allVersions }: DiscoverOptions,
): string[] {
  if (answer.groups === undefined) return (answer.versions as string[] | undefined) ?? [];
  return answer.groups.flatMap(g => {
    const preferred = g.preferredVersion ?? g.versions[0];
    return allVersions ? g.versions.map(v => v.groupVersion) : preferred ? [preferred.groupVersion] : [];
  });
}

async function fromLists(
  client: Client,
  root: string,
  versions: readonly string[],
  out: DiscoveredResource[],
  failures: Map<string, string>,
): Promise<void> {
  for (const groupVersion of versions) {
    try {
      const list = await client.request<APIResourceList>('GET', `${root}/${groupVersion}`);
      out.push(...fromList(groupVersion, list));
    } catch (e) {
      // One aggregated API that is down must not hide the others.
      if (!isApiError(e)) throw e;
      failures.set(groupVersion, messageOf(e));
    }
  }
}

function fromList(groupVersion: string, { resources = [] }: APIResourceList): DiscoveredResource[] {
  return resources
    .filter(r => !r.name.includes('/'))
    .map(r => ({
      ...parseApiVersion(groupVersion),
      plural: r.name,
      kind: r.kind,
      namespaced: r.namespaced,
      singular: r.singularName,
      verbs: r.verbs,
      shortNames: r.shortNames ?? [],
      categories: r.categories ?? [],
      subresources: resources.filter(s => s.name.startsWith(`${r.name}/`)).map(s => s.name.slice(r.name.length + 1)),
    }));
}
