import type { ConfigMap, Secret, ServiceAccount } from '../../../api/types/core-v1.ts';
import { ageColumn, integer, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

const size = (map: object | undefined) => Object.keys(map ?? {}).length;

export const configMaps = namespaced<ConfigMap>({
  resource: '/configmaps',
  specless: true,
  columns: [nameColumn, integer('Data', obj => size(obj.data) + size(obj.binaryData)), ageColumn],
});

export const secrets = namespaced<Secret>({
  resource: '/secrets',
  specless: true,
  default(secret) {
    secret.type ||= 'Opaque';
    if (secret.stringData) mergeStringData(secret, secret.stringData);
  },
  columns: [nameColumn, text('Type', obj => obj.type ?? ''), integer('Data', obj => size(obj.data)), ageColumn],
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
  columns: [nameColumn, integer('Secrets', obj => obj.secrets?.length ?? 0), ageColumn],
});
