/** Projected volumes: several sources under one directory, with one set of paths. */
import type {
  ClusterTrustBundleProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  PodCertificateProjection,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from '../../../../api/types/core-v1.ts';
import { type Check, type Errors, each, oneOf, optional, required } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { internalForm, shownSelector } from '../../internal-form.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import { signerName } from '../../meta/signer-name.ts';
import { validateFieldRef, validateResourceFieldRef, volumeFields } from './field-refs.ts';
import { fileMode, localNonReservedPath } from './paths.ts';
import { keyToPath } from './volume-sources.ts';

export const downwardFile: Check<DownwardAPIVolumeFile> = (file, path) => {
  const both = file.fieldRef && file.resourceFieldRef;
  return [
    ...required(file.path, `${path}.path`),
    ...localNonReservedPath(file.path ?? '', `${path}.path`),
    ...optional(file.fieldRef, `${path}.fieldRef`, (ref, at) => validateFieldRef(ref, volumeFields, at)),
    ...(both
      ? [field.invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously')]
      : optional(file.resourceFieldRef, `${path}.resourceFieldRef`, (ref, at) =>
          validateResourceFieldRef(ref, at, true),
        )),
    ...(file.fieldRef || file.resourceFieldRef
      ? []
      : [field.required(path, 'one of fieldRef and resourceFieldRef is required')]),
    ...optional(file.mode, `${path}.mode`, fileMode),
  ];
};

/** Paths claimed so far; a second claim is reported at the volume. */
class Paths {
  readonly #seen = new Set<string>();
  readonly #volume: string;
  constructor(volume: string) {
    this.#volume = volume;
  }
  claim(path: string | undefined, shown = path): Errors {
    if (!path) return [];
    if (this.#seen.has(path)) return [field.invalid(this.#volume, shown, 'conflicting duplicate paths')];
    this.#seen.add(path);
    return [];
  }
}

function named(source: { name?: string; items?: KeyToPath[] }, path: string, paths: Paths): Errors {
  return [
    ...required(source.name, `${path}.name`),
    ...each(source.items, `${path}.items`, (item, at) => [
      ...keyToPath(item, at),
      ...paths.claim(item.path, source.name ?? ''),
    ]),
  ];
}

const tenMinutes = 600;

function serviceAccountToken(token: ServiceAccountTokenProjection, path: string, volume: string): Errors {
  const seconds = token.expirationSeconds ?? 3600;
  const at = `${path}.expirationSeconds`;
  return [
    ...(seconds < tenMinutes ? [field.invalid(at, seconds, 'may not specify a duration less than 10 minutes')] : []),
    ...(seconds > 2 ** 32 ? [field.invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds')] : []),
    ...(token.path ? localNonReservedPath(token.path, `${volume}.path`) : [field.required(`${volume}.path`)]),
  ];
}

const shownBundle = {
  Name: null,
  SignerName: null,
  LabelSelector: shownSelector,
  Optional: null,
  Path: '',
};

function trustBundleSource(bundle: ClusterTrustBundleProjection, path: string): Errors {
  if (bundle.name !== undefined && bundle.signerName !== undefined) {
    return [field.invalid(path, internalForm(shownBundle, bundle), 'only one of name and signerName may be used')];
  }
  if (bundle.name !== undefined) {
    return [
      ...required(bundle.name, `${path}.name`, 'must be a valid object name'),
      ...(bundle.labelSelector
        ? [
            field.invalid(
              `${path}.labelSelector`,
              shownSelector(bundle.labelSelector),
              'labelSelector must be unset if name is specified',
            ),
          ]
        : []),
    ];
  }
  if (bundle.signerName === undefined) return [field.required(path, 'either name or signerName must be specified')];
  return [
    ...required(bundle.signerName, `${path}.signerName`, 'must be a valid signer name'),
    ...signerName(bundle.signerName, `${path}.signerName`),
    ...validateLabelSelector(bundle.labelSelector, `${path}.labelSelector`),
  ];
}

const keyTypes = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const hour = 3600;
const maxCertificateSeconds = 91 * 24 * hour;

function podCertificate(certificate: PodCertificateProjection, path: string, paths: Paths): Errors {
  const seconds = certificate.maxExpirationSeconds ?? 24 * hour;
  const at = `${path}.maxExpirationSeconds`;
  const files = ['keyPath', 'certificateChainPath', 'credentialBundlePath'] as const;
  return [
    ...signerName(certificate.signerName, `${path}.signerName`),
    ...oneOf(keyTypes)(certificate.keyType, `${path}.keyType`),
    ...(seconds < hour ? [field.invalid(at, seconds, `if provided, maxExpirationSeconds must be >= ${hour}`)] : []),
    ...(seconds > maxCertificateSeconds
      ? [field.invalid(at, seconds, `if provided, maxExpirationSeconds must be <= ${maxCertificateSeconds}`)]
      : []),
    ...(files.some(key => certificate[key])
      ? []
      : [field.required(path, 'specify at least one of keyPath, certificateChainPath, and credentialBundlePath')]),
    ...files.flatMap(key => [
      ...(certificate[key] ? localNonReservedPath(certificate[key], `${path}.${key}`) : []),
      ...paths.claim(certificate[key]),
    ]),
  ];
}

function validateProjection(projection: VolumeProjection, path: string, volume: string, paths: Paths): Errors {
  const {
    secret,
    configMap,
    downwardAPI,
    serviceAccountToken: token,
    clusterTrustBundle,
    podCertificate: cert,
  } = projection;
  const count = [secret, configMap, downwardAPI, token, clusterTrustBundle, cert].filter(Boolean).length;
  return [
    ...(secret ? named(secret, `${path}.secret`, paths) : []),
    ...(configMap ? named(configMap, `${path}.configMap`, paths) : []),
    ...(downwardAPI?.items ?? []).flatMap(file => [
      ...downwardFile(file, `${path}.downwardAPI`),
      ...paths.claim(file.path),
    ]),
    ...(token ? serviceAccountToken(token, `${path}.serviceAccountToken`, volume) : []),
    ...(clusterTrustBundle
      ? [
          ...trustBundleSource(clusterTrustBundle, `${path}.clusterTrustBundle`),
          ...required(clusterTrustBundle.path, `${path}.clusterTrustBundle.path`),
          ...localNonReservedPath(clusterTrustBundle.path ?? '', `${path}.clusterTrustBundle.path`),
          ...paths.claim(clusterTrustBundle.path),
        ]
      : []),
    ...(cert ? podCertificate(cert, `${path}.podCertificate`, paths) : []),
    ...(count > 1 ? [field.forbidden(path, 'may not specify more than 1 volume type per source')] : []),
  ];
}

export const projected: Check<ProjectedVolumeSource> = (volume, path) => {
  const paths = new Paths(path);
  return [
    ...optional(volume.defaultMode, `${path}.defaultMode`, fileMode),
    ...each(volume.sources, `${path}.sources`, (source, at) => validateProjection(source, at, path, paths)),
  ];
};
