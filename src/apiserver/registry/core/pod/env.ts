import type { EnvFromSource, EnvVar, EnvVarSource, FileKeySelector, PodSpec } from '../../../../api/types/core-v1.ts';
import { isConfigMapKey, isRelaxedEnvVarName, nameIsDnsSubdomain } from '../../../../api/validation/names.ts';
import { dnsLabel, type Errors, each, invalidAll, nonEmpty, optional, requiredAnd } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { containersOf } from './containers-of.ts';
import { envFields, validateFieldRef, validateResourceFieldRef } from './field-refs.ts';
import { noBacksteps } from './paths.ts';

function validateKeySelector(selector: { name?: string; key: string }, path: string): Errors {
  const { name = '', key } = selector;
  return [
    ...invalidAll(`${path}.name`, name, nameIsDnsSubdomain(name, false)),
    ...requiredAnd(key, `${path}.key`, (value, at) => invalidAll(at, value, isConfigMapKey(value))),
  ];
}

const validateFileKey = (ref: FileKeySelector, path: string): Errors => [
  ...requiredAnd(ref.key, `${path}.key`, (value, at) => invalidAll(at, value, isRelaxedEnvVarName(value))),
  ...requiredAnd(ref.volumeName, `${path}.volumeName`, dnsLabel),
  ...requiredAnd(ref.path, `${path}.path`, noBacksteps),
];

/** Files of variables are read from volumes that live with the pod (validateFileKeyRefVolumes). */
export function validateFileKeyVolumes(spec: PodSpec, path: string): Errors {
  return containersOf(spec, path).flatMap(([{ env }, at]) =>
    each(env, `${at}.env`, ({ valueFrom }, where) => {
      const name = valueFrom?.fileKeyRef?.volumeName;
      if (!valueFrom?.fileKeyRef) return [];
      const volume = spec.volumes?.find(v => v.name === name);
      const place = `${where}.valueFrom.fileKeyRef.volumeName`;
      if (!volume) return [field.notFound(place, name ?? '')];
      return volume.emptyDir ? [] : [field.invalid(place, name, 'referenced volume must be of type emptyDir')];
    }),
  );
}

function validateSource(source: EnvVarSource, path: string): Errors {
  return [
    ...optional(source.fieldRef, `${path}.fieldRef`, (ref, at) => validateFieldRef(ref, envFields, at)),
    ...optional(source.resourceFieldRef, `${path}.resourceFieldRef`, (ref, at) =>
      validateResourceFieldRef(ref, at, false),
    ),
    ...optional(source.configMapKeyRef, `${path}.configMapKeyRef`, validateKeySelector),
    ...optional(source.secretKeyRef, `${path}.secretKeyRef`, validateKeySelector),
    ...optional(source.fileKeyRef, `${path}.fileKeyRef`, validateFileKey),
  ];
}

const sources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const;
const sourceList = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';

function validateValueFrom(variable: EnvVar, path: string): Errors {
  const source = variable.valueFrom;
  if (!source) return [];
  const count = sources.filter(key => source[key]).length;
  const complaint =
    count === 0
      ? `must specify one of: ${sourceList}`
      : variable.value
        ? 'may not be specified when `value` is not empty'
        : count > 1
          ? 'may not have more than one field specified at a time'
          : undefined;
  return [...validateSource(source, path), ...(complaint === undefined ? [] : [field.invalid(path, '', complaint)])];
}

export function validateEnv(variables: readonly EnvVar[] | undefined, path: string): Errors {
  return each(variables, path, (variable, at) => [
    ...requiredAnd(variable.name, `${at}.name`, (name, where) => invalidAll(where, name, isRelaxedEnvVarName(name))),
    ...validateValueFrom(variable, `${at}.valueFrom`),
  ]);
}

const sourceName = (source: { name?: string }, path: string) =>
  requiredAnd(source.name, `${path}.name`, (name, at) => invalidAll(at, name, nameIsDnsSubdomain(name, true)));

/** Upstream reports a missing or second source at the list, not at its item. */
export function validateEnvFrom(list: readonly EnvFromSource[] | undefined, path: string): Errors {
  return each(list, path, (source, at) => {
    const count = Number(source.configMapRef !== undefined) + Number(source.secretRef !== undefined);
    return [
      ...nonEmpty(source.prefix, `${at}.prefix`, (prefix, where) =>
        invalidAll(where, prefix, isRelaxedEnvVarName(prefix)),
      ),
      ...optional(source.configMapRef, `${at}.configMapRef`, sourceName),
      ...optional(source.secretRef, `${at}.secretRef`, sourceName),
      ...(count === 0 ? [field.invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`')] : []),
      ...(count > 1 ? [field.invalid(path, '', 'may not have more than one field specified at a time')] : []),
    ];
  });
}
