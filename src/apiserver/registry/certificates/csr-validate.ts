/** Certificate signing requests (pkg/apis/certificates/validation). */
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
} from '../../../api/types/certificates-v1.ts';
import { messageOf } from '../../../base/errors.ts';
import { parseCertificate, parseCertificateRequest } from '../../../base/x509/certificate.ts';
import { fromPem, type PemBlock } from '../../../base/x509/der.ts';
import { type Errors, each, forbidden, oneOf, required, requiredOneOf, same, unique } from '../checks.ts';
import { field } from '../field-errors.ts';
import { describeChanges } from '../meta/diff.ts';
import { signerName } from '../meta/signer-name.ts';

type Csr = CertificateSigningRequest;
type Condition = CertificateSigningRequestCondition;

/** Conditions that are only ever true. */
const decisive = ['Approved', 'Denied', 'Failed'];

const knownUsages = [
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
const legacySigner = 'kubernetes.io/legacy-unknown';

/** Bytes that are text; what is not base64 is refused on decode. */
function decoded(base64 = ''): string {
  try {
    return atob(base64);
  } catch {
    return '';
  }
}

export const requestPem = ({ spec }: Csr): string => decoded(spec.request);

/** What is wrong with the request's form; its signature is checked apart (`signature.ts`). */
export function requestComplaint(csr: Csr): string | undefined {
  try {
    const [block] = fromPem(requestPem(csr));
    if (block?.label !== 'CERTIFICATE REQUEST') return 'PEM block type must be CERTIFICATE REQUEST';
    parseCertificateRequest(block.bytes);
    return undefined;
  } catch (e) {
    return `asn1: structure error: ${messageOf(e)}`;
  }
}

function validateUsages({ spec: { usages = [] } }: Csr): Errors {
  const path = 'spec.usages';
  return [
    ...required(usages, path),
    ...each(usages, path, oneOf(knownUsages)),
    ...unique(usages, path, usage => usage),
  ];
}

function validateSpec(csr: Csr): Errors {
  const { request, signerName: signer, expirationSeconds: seconds } = csr.spec;
  const wrong = requestComplaint(csr);
  return [
    ...(wrong === undefined ? [] : [field.invalid('spec.request', request, wrong)]),
    ...validateUsages(csr),
    ...(signer === legacySigner
      ? [field.invalid('spec.signerName', signer, 'the legacy signerName is not allowed via this API version')]
      : signerName(signer, 'spec.signerName')),
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

const conditionsPath = 'status.conditions';
const of = ({ status }: Csr, type: string) => (status?.conditions ?? []).filter(c => c.type === type);

function validateCondition({ type, status }: Condition, path: string): Errors {
  const allowed = decisive.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
  return [...required(type, `${path}.type`), ...requiredOneOf(status, `${path}.status`, allowed)];
}

/** A request is approved or denied. The complaint is about whichever came second. */
function validateDecision(csr: Csr): Errors {
  const decisions = (csr.status?.conditions ?? []).map(c => c.type).filter(t => t === 'Approved' || t === 'Denied');
  return decisions
    .filter((type, i) => decisions.slice(0, i).some(other => other !== type))
    .map(type => field.invalid(conditionsPath, type, 'Approved and Denied conditions are mutually exclusive'));
}

function validateConditions(csr: Csr): Errors {
  const conditions = csr.status?.conditions;
  return [
    ...each(conditions, conditionsPath, validateCondition),
    ...validateDecision(csr),
    ...unique(
      conditions,
      conditionsPath,
      c => c.type,
      at => `${at}.type`,
    ),
  ];
}

function blockComplaint({ label, bytes, headers }: PemBlock): string | undefined {
  if (label !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(label)}`;
  if (headers) return 'no PEM block headers are permitted';
  parseCertificate(bytes);
  return undefined;
}

function certificateComplaint(pem: string): string | undefined {
  if (pem === '') return undefined;
  try {
    const blocks = fromPem(pem);
    if (blocks.length === 0) return 'must contain at least one CERTIFICATE PEM block';
    return blocks.map(blockComplaint).find(why => why !== undefined);
  } catch (e) {
    return `x509: malformed certificate: ${messageOf(e)}`;
  }
}

/** Decisions stay: no one takes an approval, a denial or a failure back. */
function validateKept(csr: Csr, old: Csr): Errors {
  return decisive
    .filter(type => of(csr, type).length < of(old, type).length)
    .map(type => field.forbidden(conditionsPath, `updates may not remove a condition of type ${JSON.stringify(type)}`));
}

/** Only the approval subresource decides. */
function validateUndecided(csr: Csr, old: Csr): Errors {
  return ['Approved', 'Denied'].flatMap(type => {
    const now = of(csr, type);
    const before = of(old, type);
    const shown = JSON.stringify(type);
    if (now.length > before.length) {
      return [field.forbidden(conditionsPath, `updates may not add a condition of type ${shown}`)];
    }
    return now.length < before.length || same(now, before)
      ? []
      : [
          field.forbidden(
            conditionsPath,
            `updates may not modify a condition of type ${shown}\n${describeChanges(before, now)}`,
          ),
        ];
  });
}

function validateCertificate(csr: Csr, old: Csr, maySet: boolean): Errors {
  const path = 'status.certificate';
  const { certificate: now = '' } = csr.status ?? {};
  const { certificate: before = '' } = old.status ?? {};
  if (now === before) return [];
  if (!maySet) return [field.forbidden(path, 'updates may not set certificate content')];
  const wrong = certificateComplaint(decoded(before)) === undefined ? certificateComplaint(decoded(now)) : undefined;
  return [
    ...(wrong === undefined ? [] : [field.invalid(path, '<certificate data>', wrong)]),
    ...forbidden(before, path, 'updates may not modify existing certificate content'),
  ];
}

/** Old objects may have what new ones may not. */
function tolerated(csr: Csr, old: Csr): Errors {
  const before = new Set([...validateSpec(old), ...validateConditions(old)].map(e => e.message));
  return [...validateSpec(csr), ...validateConditions(csr)].filter(e => !before.has(e.message));
}

export const validateCsr = (csr: Csr): Errors => [...validateSpec(csr), ...validateConditions(csr)];

export const validateCsrUpdate = (csr: Csr, old: Csr): Errors => [...tolerated(csr, old), ...validateKept(csr, old)];

export const validateCsrStatus = (csr: Csr, old: Csr): Errors => [
  ...validateCsrUpdate(csr, old),
  ...validateUndecided(csr, old),
  ...validateCertificate(csr, old, true),
];

export const validateCsrApproval = (csr: Csr, old: Csr): Errors => [
  ...validateCsrUpdate(csr, old),
  ...validateCertificate(csr, old, false),
];
