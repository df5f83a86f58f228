import type { ConfigMap, Secret, ServiceAccount } from '../../../api/types/core-v1.ts';
import { isConfigMapKey, longerThan } from '../../../api/validation/names.ts';
import { decodedLength, type Errors, eachEntry, forbidden, immutable, invalidAll, same } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateSecretType } from './secret-types.ts';

const size = (map: object | undefined) => Object.keys(map ?? {}).length;

const maxSize = 1024 * 1024;
/** Bytes that the base64 texts of a map stand for. */
const decodedSize = (map: Readonly<Record<string, string>> | undefined) =>
  Object.values(map ?? {}).reduce((total, text) => total + decodedLength(text), 0);

/** Once `immutable` is set, it and the data stay as they are. */
function frozen<T extends { immutable?: boolean }>(obj: T, old: T, keys: readonly (keyof T & string)[]): Errors {
  if (!old.immutable) return [];
  const why = 'field is immutable when `immutable` is set';
  return [
    ...forbidden(!obj.immutable, 'immutable', why),
    ...keys.flatMap(key => forbidden(!same(obj[key], old[key]), key, why)),
  ];
}

const configKey = (key: string, path: string) => invalidAll(path, key, isConfigMapKey(key));

function validateConfigMap(map: ConfigMap): Errors {
  return [
    ...eachEntry(map.data, 'data', (_, at, key) => [
      ...configKey(key, at),
      ...(map.binaryData?.[key] === undefined
        ? []
        : [field.invalid(at, key, 'duplicate of key present in binaryData')]),
    ]),
    ...eachEntry(map.binaryData, 'binaryData', (_, at, key) => configKey(key, at)),
    ...(longerThan(Object.values(map.data ?? {}), maxSize - decodedSize(map.binaryData))
      ? [field.tooLong('', maxSize)]
      : []),
  ];
}

export const configMaps = namespaced<ConfigMap>({
  resource: '/configmaps',
  validate: validateConfigMap,
  validateUpdate: (map, old) => frozen(map, old, ['data', 'binaryData']),
  specless: true,
  columns: [nameColumn, text('Data', obj => size(obj.data) + size(obj.binaryData)), ageColumn],
});

function validateSecret(secret: Secret): Errors {
  return [
    ...eachEntry(secret.data, 'data', (_, at, key) => configKey(key, at)),
    ...(decodedSize(secret.data) > maxSize ? [field.tooLong('data', maxSize)] : []),
    ...validateSecretType(secret),
  ];
}

export const secrets = namespaced<Secret>({
  resource: '/secrets',
  validate: validateSecret,
  validateUpdate: (secret, old) => [...immutable(secret.type, old.type, 'type'), ...frozen(secret, old, ['data'])],
  specless: true,
  default(secret) {
    secret.type ||= 'Opaque';
    if (secret.stringData) mergeStringData(secret, secret.stringData);
  },
  columns: [nameColumn, text('Type', obj => obj.type ?? ''), text('Data', obj => size(obj.data)), ageColumn],
  selectableFields: { type: obj => obj.type ?? '' },
});

/** stringData is write-only: it lands in `data` as base64. */
function mergeStringData(secret: Secret, strings: Readonly<Record<string, string>>): void {
  const encoded = Object.entries(strings).map(([key, value]) => [key, base64(value)] as const);
  secret.data = { ...secret.data, ...Object.fromEntries(encoded) };
  delete secret.stringData;
}

function base64(value: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(value)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export const serviceAccounts = namespaced<ServiceAccount>({
  resource: '/serviceaccounts',
  specless: true,
  columns: [nameColumn, ageColumn],
});
