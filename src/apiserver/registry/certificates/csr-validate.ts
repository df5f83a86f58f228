/** Certificate signing requests (pkg/apis/certificates/validation). The request's ASN.1 is read by whoever signs it. */
import type { CertificateSigningRequest } from '../../../api/types/certificates-v1.ts';
import { type Errors, each, oneOf, required, same } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateObjectMetaUpdate } from '../meta/object-meta.ts';
import { signerName } from '../meta/signer-name.ts';

type Csr = CertificateSigningRequest;

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const minExpiration = 600;
const pemBlock = /^\s*-----BEGIN CERTIFICATE REQUEST-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE REQUEST-----/;
const certificateBlock = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/;

function decoded(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return '';
  }
}

export function validateCsr({ spec }: Csr): Errors {
  const seconds = spec.expirationSeconds;
  const wrongRequest = 'PEM block type must be CERTIFICATE REQUEST';
  return [
    ...(pemBlock.test(decoded(spec.request ?? '')) ? [] : [field.invalid('spec.request', spec.request, wrongRequest)]),
    ...required(spec.usages, 'spec.usages', 'usages are required'),
    ...each(spec.usages, 'spec.usages', oneOf(usages)),
    ...each(spec.usages, 'spec.usages', (usage, at, i) =>
      spec.usages?.indexOf(usage) === i ? [] : [field.duplicate(at, usage)],
    ),
    ...signerName(spec.signerName, 'spec.signerName'),
    ...(spec.signerName === 'kubernetes.io/legacy-unknown'
      ? [field.invalid('spec.signerName', spec.signerName, 'the legacy signerName is not allowed via this API version')]
      : []),
    ...(seconds !== undefined && seconds < minExpiration
      ? [
          field.invalid(
            'spec.expirationSeconds',
            seconds,
            `may not specify a duration less than ${minExpiration} seconds (10 minutes)`,
          ),
        ]
      : []),
  ];
}

function validateConditions(csr: Csr): Errors {
  const path = 'status.conditions';
  const conditions = csr.status?.conditions ?? [];
  const types = new Set(conditions.map(c => c.type));
  const seen = new Set<string>();
  return each(conditions, path, (condition, at) => {
    const { type, status } = condition;
    const errors = required(type, `${at}.type`);
    const decisive = ['Approved', 'Denied', 'Failed'].includes(type);
    if (!status) errors.push(field.required(`${at}.status`));
    else if (decisive && status !== 'True') errors.push(field.notSupported(`${at}.status`, status, ['True']));
    else errors.push(...oneOf(['False', 'True', 'Unknown'])(status, `${at}.status`));
    if (type === 'Denied' && types.has('Approved')) {
      errors.push(field.invalid(`${at}.type`, type, 'Approved and Denied conditions are mutually exclusive'));
    }
    if (seen.has(type)) errors.push(field.duplicate(`${at}.type`, type));
    seen.add(type);
    return errors;
  });
}

/** Decisions stay: no one takes an approval, a denial or a failure back. */
function validateKept(csr: Csr, old: Csr, types: readonly string[], added: readonly string[]): Errors {
  const path = 'status.conditions';
  const has = (obj: Csr, type: string) => obj.status?.conditions?.some(c => c.type === type);
  const equal = (type: string) => {
    const of = (obj: Csr) => (obj.status?.conditions ?? []).filter(c => c.type === type);
    return same(of(csr), of(old));
  };
  return [
    ...types.flatMap(type =>
      has(old, type) && !has(csr, type)
        ? [field.forbidden(path, `updates may not remove a condition of type ${JSON.stringify(type)}`)]
        : [],
    ),
    ...added.flatMap(type =>
      !has(old, type) && has(csr, type)
        ? [field.forbidden(path, `updates may not add a condition of type ${JSON.stringify(type)}`)]
        : [],
    ),
    ...types.flatMap(type =>
      has(old, type) && has(csr, type) && !equal(type)
        ? [field.forbidden(path, `updates may not modify a condition of type ${JSON.stringify(type)}`)]
        : [],
    ),
  ];
}

function validateCertificate(csr: Csr, old: Csr): Errors {
  const now = csr.status?.certificate ?? '';
  const before = old.status?.certificate ?? '';
  const path = 'status.certificate';
  if (now === before) return [];
  if (before) return [field.forbidden(path, 'updates may not set certificate content once issued')];
  return certificateBlock.test(decoded(now))
    ? []
    : [field.invalid(path, '<certificate data>', 'must contain at least one CERTIFICATE PEM block')];
}

export function validateCsrStatus(csr: Csr, old: Csr): Errors {
  return [
    ...validateObjectMetaUpdate(csr.metadata, old.metadata),
    ...validateConditions(csr),
    ...validateKept(csr, old, ['Approved', 'Denied', 'Failed'], ['Approved', 'Denied']),
    ...validateCertificate(csr, old),
  ];
}

export function validateCsrApproval(csr: Csr, old: Csr): Errors {
  return [
    ...validateObjectMetaUpdate(csr.metadata, old.metadata),
    ...validateConditions(csr),
    ...validateKept(csr, old, ['Approved', 'Denied', 'Failed'], []),
  ];
}
