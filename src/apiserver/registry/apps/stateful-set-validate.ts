/** Stateful sets (pkg/apis/apps/validation). */
import type { StatefulSet } from '../../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim, PodTemplateSpec, Volume } from '../../../api/types/core-v1.ts';
import { dnsLabel, type Errors, each, forbidden, nonEmpty, nonNegative, oneOf, optional, same } from '../checks.ts';
import { validateClaimSpec } from '../core/claim-spec.ts';
import {
  validateAlwaysRestart,
  validatePodTemplate,
  validateSelected,
  validateTemplateMetadata,
} from '../core/pod/template.ts';
import { field } from '../field-errors.ts';
import { atMost100Percent, intOrPercent, isZeroIntOrPercent } from '../meta/int-or-percent.ts';
import { isUsableSelector, shownStrategy, validateSelector } from './workload.ts';

type Spec = StatefulSet['spec'];

function validateManagement({ podManagementPolicy: policy }: Spec): Errors {
  const path = 'spec.podManagementPolicy';
  if (!policy) return [field.required(path)];
  return policy === 'OrderedReady' || policy === 'Parallel'
    ? []
    : [field.invalid(path, policy, "must be 'OrderedReady' or 'Parallel'")];
}

function validateStrategy({ updateStrategy: strategy }: Spec): Errors {
  const path = 'spec.updateStrategy';
  const at = `${path}.rollingUpdate`;
  const rolling = strategy?.rollingUpdate;
  if (!strategy?.type) return [field.required(path)];
  if (strategy.type === 'OnDelete') {
    const shown = { Partition: rolling?.partition ?? 0, MaxUnavailable: rolling?.maxUnavailable ?? null };
    return rolling ? [field.invalid(at, shown, "only allowed for updateStrategy 'RollingUpdate'")] : [];
  }
  if (strategy.type !== 'RollingUpdate') {
    return [field.invalid(path, shownStrategy(strategy), "must be 'RollingUpdate' or 'OnDelete'")];
  }
  return [
    ...optional(rolling?.partition, `${at}.partition`, nonNegative),
    ...optional(rolling?.maxUnavailable, `${at}.maxUnavailable`, (value, where) => [
      ...intOrPercent(value, where),
      ...(isZeroIntOrPercent(value) ? [field.invalid(where, value, 'cannot be 0')] : []),
      ...atMost100Percent(value, where),
    ]),
  ];
}

function validateRetention({ persistentVolumeClaimRetentionPolicy: retention }: Spec): Errors {
  const at = 'spec.persistentVolumeClaimRetentionPolicy';
  const policy = oneOf(['Retain', 'Delete']);
  return optional(retention, at, ({ whenDeleted, whenScaled }) => [
    ...policy(whenDeleted, `${at}.whenDeleted`),
    ...policy(whenScaled, `${at}.whenScaled`),
  ]);
}

function claimVolume(claim: PersistentVolumeClaim): Volume {
  const name = claim.metadata?.name ?? '';
  return { name, persistentVolumeClaim: { claimName: name } };
}

/** The template as its pods will be: the claims are volumes, hostname and subdomain are the controller's. */
function effectiveTemplate({ template, volumeClaimTemplates: claims = [] }: Spec): PodTemplateSpec | undefined {
  if (!template?.spec) return template;
  const { hostname: _, subdomain: __, volumes = [], ...rest } = template.spec;
  const own = claims.map(claimVolume);
  const others = volumes.filter(volume => !own.some(({ name }) => name === volume.name));
  return { ...template, spec: { ...rest, volumes: [...own, ...others] } };
}

function validateTemplate(spec: Spec, known: Known): Errors {
  const path = 'spec.template';
  if (!isUsableSelector(spec.selector)) return [field.invalid('spec.selector', spec.selector, '')];
  const template = effectiveTemplate(spec);
  if (!template?.spec) return [field.required(path)];
  return [
    ...validateSelected(template, spec.selector, path),
    ...(known.template ? validateTemplateMetadata(template, path) : validatePodTemplate(template, path)),
  ];
}

/** What may stay wrong because it was stored by an older server and can no longer change. */
interface Known {
  readonly serviceName: boolean;
  readonly claims: boolean;
  readonly template: boolean;
}

function validateSpec(spec: Spec, known: Known): Errors {
  return [
    ...validateManagement(spec),
    ...validateStrategy(spec),
    ...validateRetention(spec),
    ...each(known.claims ? [] : spec.volumeClaimTemplates, 'spec.volumeClaimTemplates', (claim, at) =>
      validateClaimSpec(claim.spec, `${at}.spec`),
    ),
    ...nonNegative(spec.replicas ?? 0, 'spec.replicas'),
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...optional(spec.ordinals?.start, 'spec.ordinals.start', nonNegative),
    ...(known.serviceName ? [] : nonEmpty(spec.serviceName, 'spec.serviceName', dnsLabel)),
    ...validateSelector(spec.selector, 'statefulset'),
    ...validateTemplate(spec, known),
    ...validateAlwaysRestart(spec.template, 'spec.template', 'StatefulSet'),
  ];
}

export const validateStatefulSet = ({ spec }: StatefulSet): Errors =>
  validateSpec(spec, { serviceName: false, claims: false, template: false });

const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

/** The spec without the fields that an update may change. */
function fixedPart(spec: Spec): object {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !(mutable as readonly string[]).includes(key)));
}

const onlyMutable = `updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden`;

export function validateStatefulSetUpdate({ spec }: StatefulSet, { spec: old }: StatefulSet): Errors {
  const known = { serviceName: true, claims: true, template: false };
  const template = validateSpec(old, known).length > 0;
  return [
    ...validateSpec(spec, { ...known, template }),
    ...forbidden(!same(fixedPart(spec), fixedPart(old)), 'spec', onlyMutable),
  ];
}
