/** Which groups come first when clients list or guess (apiVersionPriorities of cmd/kube-apiserver and pkg/controlplane of v1.35). */
export interface Priority {
  /** Of the group among groups: higher comes first. */
  readonly group: number;
  /** Of the version among the group's. */
  readonly version: number;
}

const groups: Readonly<Record<string, number>> = {
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'admissionregistration.k8s.io': 16_700,
  'apiextensions.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'resource.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
};
const versions: Readonly<Record<string, number>> = {
  '/v1': 1,
  'autoscaling/v2': 30,
  'flowcontrol.apiserver.k8s.io/v1': 21,
  'resource.k8s.io/v1': 21,
};
const usualVersion = 15;

/** That of a built-in group version; undefined for those that have no APIService: custom ones and apiregistration.k8s.io itself. */
export function builtinPriority(group: string, version: string): Priority | undefined {
  const own = groups[group];
  return own === undefined ? undefined : { group: own, version: versions[`${group}/${version}`] ?? usualVersion };
}

export const customPriority: Priority = { group: 1_000, version: 100 };

/** For sorting by falling priority. */
export const groupRank = (group: string): number =>
  group === 'apiregistration.k8s.io' ? 20_000 : (groups[group] ?? customPriority.group);
