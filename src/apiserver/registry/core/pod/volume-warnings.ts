/** What volumes may contain but should not (pkg/api/pod/warnings.go). */
import type { Volume, VolumeProjection } from '../../../../api/types/core-v1.ts';
import { claimSpecWarnings } from './byte-warnings.ts';

const deprecated: readonly (readonly [key: keyof Volume, why: string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

const quote = (text: string | undefined) => JSON.stringify(text ?? '');

/** A path inside a volume and, in a projected one, the source it comes from. */
interface PathOf {
  readonly path: string;
  readonly source: string;
}
const show = ({ path, source }: PathOf) => (source ? `${quote(path)} (${source})` : quote(path));
const within = (inner: string, outer: string) => `${inner}/`.startsWith(`${outer}/`);

/** "a with b" for each path that hides another or is hidden by it. */
function overlaps(paths: readonly PathOf[]): string[] {
  const seen: PathOf[] = [];
  return paths.flatMap(({ path: raw, source }) => {
    const path = raw.replace(/\/+$/, '');
    const clashes = path === '' ? [] : seen.filter(s => s.path && (within(s.path, path) || within(path, s.path)));
    const own = { path, source };
    seen.push(own);
    return clashes.map(other => `${show(own)} with ${show(other)}`);
  });
}

const pathsOf = (items: readonly { path?: string }[] | undefined, source = ''): PathOf[] =>
  (items ?? []).map(({ path = '' }) => ({ path, source }));

function projectedPaths(from: VolumeProjection): PathOf[] {
  const { configMap, secret, downwardAPI, serviceAccountToken: token, clusterTrustBundle, podCertificate } = from;
  if (configMap?.items) return pathsOf(configMap.items, `ConfigMap ${quote(configMap.name)}`);
  if (secret?.items) return pathsOf(secret.items, `Secret ${quote(secret.name)}`);
  if (downwardAPI?.items) return pathsOf(downwardAPI.items, 'DownwardAPI');
  if (token) return [{ path: token.path ?? '', source: 'ServiceAccountToken' }];
  if (clusterTrustBundle) {
    const { name, signerName, path } = clusterTrustBundle;
    return [{ path: path ?? '', source: `ClusterTrustBundle ${quote(name ?? signerName)}` }];
  }
  return [
    { path: podCertificate?.certificateChainPath ?? '', source: 'PodCertificate chain' },
    { path: podCertificate?.keyPath ?? '', source: 'PodCertificate key' },
    { path: podCertificate?.credentialBundlePath ?? '', source: 'PodCertificate credential bundle' },
  ].filter(({ path }) => path !== '');
}

function overlapWarnings({ name, configMap, secret, downwardAPI, projected }: Volume): string[] {
  const warn = (what: string, paths: readonly PathOf[]) =>
    overlaps(paths).map(overlap => `volume ${quote(name)} (${what}): overlapping paths: ${overlap}`);
  const sources = projected?.sources ?? [];
  return [
    ...warn(`ConfigMap ${quote(configMap?.name)}`, pathsOf(configMap?.items)),
    ...warn(`Secret ${quote(secret?.secretName)}`, pathsOf(secret?.items)),
    ...warn('DownwardAPI', pathsOf(downwardAPI?.items)),
    ...sources
      .filter(source => Object.keys(source).length === 0)
      .map(() => `volume ${quote(name)} (Projected) has no sources provided`),
    ...warn('Projected', sources.flatMap(projectedPaths)),
  ];
}

export function volumeWarnings(volumes: readonly Volume[] | undefined, path: string): string[] {
  const list = volumes ?? [];
  const sources = list.flatMap((volume, i) => [
    ...deprecated.flatMap(([key, why]) => (volume[key] ? [`${path}[${i}].${key}: ${why}`] : [])),
    ...claimSpecWarnings(
      volume.ephemeral?.volumeClaimTemplate?.spec,
      `${path}[${i}].ephemeral.volumeClaimTemplate.spec`,
    ),
  ]);
  return [...sources, ...list.flatMap(overlapWarnings)];
}
