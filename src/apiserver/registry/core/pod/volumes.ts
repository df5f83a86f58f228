/** The volumes of a pod (ValidateVolumes in pkg/apis/core/validation). */
import { signOfQuantity, tryParseQuantity } from '../../../../api/quantity.ts';
import type {
  CinderVolumeSource,
  ConfigMapVolumeSource,
  CSIVolumeSource,
  DownwardAPIVolumeSource,
  EmptyDirVolumeSource,
  EphemeralVolumeSource,
  GitRepoVolumeSource,
  ImageVolumeSource,
  SecretVolumeSource,
  StorageOSVolumeSource,
  Volume,
} from '../../../../api/types/core-v1.ts';
import type { ObjectMeta } from '../../../../api/types/meta-v1.ts';
import { nameIsDnsSubdomain } from '../../../../api/validation/names.ts';
import {
  type Check,
  dnsLabel,
  type Errors,
  each,
  oneMember,
  optional,
  required,
  requiredAnd,
  requiredOneOf,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { validateTemplateMeta } from '../../meta/object-meta.ts';
import { validateClaimSpec } from '../claim-spec.ts';
import { descendingPath, fileMode } from './paths.ts';
import { downwardFile, projected } from './projected.ts';
import * as source from './volume-sources.ts';

const emptyDir: Check<EmptyDirVolumeSource> = ({ sizeLimit }, path) => {
  const limit = sizeLimit === undefined ? undefined : tryParseQuantity(sizeLimit);
  return limit && signOfQuantity(limit) < 0
    ? [field.forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
    : [];
};

const gitRepo: Check<GitRepoVolumeSource> = (repo, path) => [
  ...required(repo.repository, `${path}.repository`),
  ...descendingPath(repo.directory ?? '', `${path}.directory`),
];

const secret: Check<SecretVolumeSource> = (volume, path) => [
  ...required(volume.secretName, `${path}.secretName`),
  ...optional(volume.defaultMode, `${path}.defaultMode`, fileMode),
  ...each(volume.items, `${path}.items`, source.keyToPath),
];

const configMap: Check<ConfigMapVolumeSource> = (volume, path) => [
  ...required(volume.name, `${path}.name`),
  ...optional(volume.defaultMode, `${path}.defaultMode`, fileMode),
  ...each(volume.items, `${path}.items`, source.keyToPath),
];

/** Upstream reports a wrong file at the volume, without its index. */
const downwardApi: Check<DownwardAPIVolumeSource> = (volume, path) => [
  ...optional(volume.defaultMode, `${path}.defaultMode`, fileMode),
  ...(volume.items ?? []).flatMap(file => downwardFile(file, path)),
];

const cinder: Check<CinderVolumeSource> = (volume, path) => [
  ...required(volume.volumeID, `${path}.volumeID`),
  ...optional(volume.secretRef, `${path}.secretRef`, source.secretRef),
];

const storageos: Check<StorageOSVolumeSource> = (volume, path) => [
  ...source.storageos(volume, path),
  ...optional(volume.secretRef, `${path}.secretRef`, source.secretRef),
];

const csi: Check<CSIVolumeSource> = (volume, path) => [
  ...source.csiDriverName(volume.driver, `${path}.driver`),
  ...optional(volume.nodePublishSecretRef, `${path}.nodePublishSecretRef`, (ref, at) =>
    requiredAnd(ref.name, `${at}.name`, (name, where) =>
      nameIsDnsSubdomain(name, false).map(why => field.invalid(where.replace('nodePublishSecretRef.', ''), name, why)),
    ),
  ),
];

const ephemeral: Check<EphemeralVolumeSource> = ({ volumeClaimTemplate: template }, path) => {
  const at = `${path}.volumeClaimTemplate`;
  if (!template) return [field.required(at)];
  return [
    ...validateTemplateMeta(template.metadata, `${at}.metadata`),
    ...validateClaimSpec(template.spec, `${at}.spec`),
  ];
};

const image: Check<ImageVolumeSource> = (volume, path) => [
  ...required(volume.reference, `${path}.reference`),
  ...requiredOneOf(volume.pullPolicy, `${path}.pullPolicy`, ['Always', 'IfNotPresent', 'Never']),
];

const { fieldsRequired } = source;
/** In upstream's order: it decides which of two sources is the one too many. */
const sources = [
  { key: 'emptyDir', check: emptyDir },
  { key: 'hostPath', check: source.hostPath },
  { key: 'gitRepo', check: gitRepo },
  { key: 'gcePersistentDisk', check: source.gcePersistentDisk },
  { key: 'awsElasticBlockStore', check: source.awsElasticBlockStore },
  { key: 'secret', check: secret },
  { key: 'nfs', check: source.nfs },
  { key: 'iscsi', check: source.iscsi },
  { key: 'glusterfs', check: fieldsRequired('endpoints', 'path') },
  { key: 'flocker', check: source.flocker },
  { key: 'persistentVolumeClaim', check: fieldsRequired('claimName') },
  { key: 'rbd', check: fieldsRequired('monitors', 'image') },
  { key: 'cinder', check: cinder },
  { key: 'cephfs', check: fieldsRequired('monitors') },
  { key: 'quobyte', check: source.quobyte },
  { key: 'downwardAPI', check: downwardApi },
  { key: 'fc', check: source.fc },
  { key: 'flexVolume', check: source.flexVolume },
  { key: 'configMap', check: configMap },
  { key: 'azureFile', check: fieldsRequired('secretName', 'shareName') },
  { key: 'vsphereVolume', check: fieldsRequired('volumePath') },
  { key: 'photonPersistentDisk', check: fieldsRequired('pdID') },
  { key: 'portworxVolume', check: fieldsRequired('volumeID') },
  { key: 'azureDisk', check: source.azureDisk },
  { key: 'storageos', check: storageos },
  { key: 'projected', check: projected },
  { key: 'scaleIO', check: fieldsRequired('gateway', 'system', 'volumeName') },
  { key: 'csi', check: csi },
  { key: 'ephemeral', check: ephemeral },
  { key: 'image', check: image },
] as const satisfies readonly { key: keyof Volume; check: Check<never> }[];

function validateSource(volume: Volume, path: string, podName: string | undefined): Errors {
  const errors = oneMember(
    volume,
    path,
    sources as unknown as Parameters<typeof oneMember<Volume>>[2],
    'may not specify more than 1 volume type',
    'must specify a volume type',
  );
  if (volume.iscsi?.initiatorName !== undefined && `${volume.name}:${volume.iscsi.targetPortal}`.length > 64) {
    errors.push(field.invalid(`${path}.name`, volume.name, source.iscsiNameTooLong));
  }
  if (volume.ephemeral && podName && volume.name) {
    const claim = `${podName}-${volume.name}`;
    const complaints = nameIsDnsSubdomain(claim, false);
    errors.push(
      ...complaints.map(why => field.invalid(`${path}.name`, volume.name, `PVC name ${JSON.stringify(claim)}: ${why}`)),
    );
  }
  return errors;
}

/**
 * The volumes that are fine, by name, and what is wrong with the others. `meta` is the pod's; a template has none that counts.
 */
export function validateVolumes(
  volumes: readonly Volume[] | undefined,
  meta: ObjectMeta | undefined,
  path: string,
): { byName: Map<string, Volume>; errors: Errors } {
  const byName = new Map<string, Volume>();
  const created = new Set((volumes ?? []).filter(v => v.ephemeral && meta?.name).map(v => `${meta?.name}-${v.name}`));
  const errors = each(volumes, path, (volume, at) => {
    const own = [...validateSource(volume, at, meta?.name), ...requiredAnd(volume.name, `${at}.name`, dnsLabel)];
    if (byName.has(volume.name)) own.push(field.duplicate(`${at}.name`, volume.name));
    if (own.length === 0) byName.set(volume.name, volume);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && created.has(claim)) {
      const why = 'must not reference a PVC that gets created for an ephemeral volume';
      own.push(field.invalid(`${at}.persistentVolumeClaim.claimName`, claim, why));
    }
    return own;
  });
  return { byName, errors };
}
