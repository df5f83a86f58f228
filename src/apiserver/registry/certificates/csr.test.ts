/** Every rule of certificate signing requests in upstream's words (pkg/apis/certificates/validation of v1.35). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromPem, toPem } from '../../../base/x509/der.ts';
import { sampleOf } from '../samples.ts';
import { created, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { certificateSigningRequests as kind } from './csr.ts';
import { signatureComplaint } from './signature.ts';

const base = sampleOf('certificates.k8s.io/certificatesigningrequests', false);
const pem = atob((base as { spec: { request: string } }).spec.request);
const usages =
  '"any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping"';
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const condition = (type: string, status = 'True', reason = '') => ({ type, status, reason });

test('what is asked for', () => {
  const key = btoa(pem.replaceAll('CERTIFICATE REQUEST', 'PUBLIC KEY'));
  const rubbish = btoa(toPem('CERTIFICATE REQUEST', new Uint8Array([0x30, 0x03, 1])));
  const rules: Rule[] = [
    ['metadata.name', 'csr A/b'],
    ['spec.request', '', 'spec.request: Invalid value: "": PEM block type must be CERTIFICATE REQUEST'],
    ['spec.request', key, `spec.request: Invalid value: "${key}": PEM block type must be CERTIFICATE REQUEST`],
    [
      'spec.request',
      rubbish,
      `spec.request: Invalid value: "${rubbish}": asn1: structure error: length exceeds the data`,
    ],
    ['spec.usages', undefined, 'spec.usages: Required value'],
    ['spec.usages', ['all'], `spec.usages[0]: Unsupported value: "all": supported values: ${usages}`],
    ['spec.usages', ['any', 'any'], 'spec.usages[1]: Duplicate value: "any"'],
    ['spec.signerName', '', 'spec.signerName: Required value'],
    [
      'spec.signerName',
      'kubernetes.io/legacy-unknown',
      'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
    ],
    [
      'spec.signerName',
      'example.com',
      'spec.signerName: Invalid value: "example.com": must be a fully qualified domain and path of the form \'example.com/signer-name\'',
    ],
    [
      'spec.signerName',
      'Example/a',
      `spec.signerName: Invalid value: "Example": validating label "Example": ${label}`,
      'spec.signerName: Invalid value: "Example": should be a domain with at least two segments separated by dots',
    ],
    [
      'spec.expirationSeconds',
      599,
      'spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)',
    ],
  ];
  assert.deepEqual(onCreate(kind, base, rules), rules);
  // Neither the spec nor the status is the client's to update.
  const updates: Rule[] = [
    ['spec.signerName', ''],
    ['status.certificate', 'AAAA'],
  ];
  assert.deepEqual(onUpdate(kind, base, updates), updates);
});

test('approval', () => {
  const rules: Rule[] = [
    ['status.conditions', [condition('Approved')]],
    ['status.conditions', [condition('')], 'status.conditions[0].type: Required value'],
    ['status.conditions', [condition('Ready', '')], 'status.conditions[0].status: Required value'],
    [
      'status.conditions',
      [condition('Approved', 'False')],
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
    ],
    [
      'status.conditions',
      [condition('Ready', 'Maybe')],
      'status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"',
    ],
    [
      'status.conditions',
      [condition('Approved'), condition('Denied')],
      'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ],
    [
      'status.conditions',
      [condition('Ready'), condition('Ready')],
      'status.conditions[1].type: Duplicate value: "Ready"',
    ],
    ['status.certificate', 'AAAA'],
  ];
  assert.deepEqual(onSubresource(kind, 'approval', base, rules), rules);
});

describe('status', () => {
  const write = (before: object | undefined, after: object) => {
    const old = created(kind, base);
    if (before) Object.assign(old, { status: before });
    const obj = withValue(old, 'status', after) as typeof old;
    const context = { clock: { now: () => 0 } } as never;
    kind.subresources?.['status']?.prepareForUpdate?.(obj, old, context);
    const errors = kind.subresources?.['status']?.validateUpdate?.(obj, old, context) ?? [];
    return errors.map(e => `${e.field}: ${e.message}`);
  };
  test('does not decide', () => {
    assert.deepEqual(write(undefined, { conditions: [condition('Approved')] }), [
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ]);
    const times = { lastUpdateTime: '2026-01-01T00:00:00Z', lastTransitionTime: '2026-01-01T00:00:00Z' };
    const approved = { conditions: [{ ...condition('Approved'), ...times }] };
    assert.deepEqual(write(approved, {}), [
      'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    ]);
    assert.deepEqual(write(approved, { conditions: [condition('Approved', 'True', 'Other')] }), []);
  });
  test('gives a certificate once', () => {
    const wrong = (why: string) => [`status.certificate: Invalid value: "<certificate data>": ${why}`];
    assert.deepEqual(
      write(undefined, { certificate: btoa('none') }),
      wrong('must contain at least one CERTIFICATE PEM block'),
    );
    assert.deepEqual(
      write(undefined, { certificate: btoa(pem) }),
      wrong('only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"'),
    );
    assert.deepEqual(write({ certificate: btoa('old') }, { certificate: btoa('new') }), [
      'status.certificate: Forbidden: updates may not modify existing certificate content',
    ]);
  });
});

test('the signature must be that of the key in the request', async () => {
  assert.equal(await signatureComplaint(pem), undefined);
  const bytes = fromPem(pem)[0]?.bytes.slice() ?? new Uint8Array();
  // The name's last letter: "system:node:a" becomes "system:node:b".
  bytes[bytes.lastIndexOf('a'.charCodeAt(0), 62)] = 'b'.charCodeAt(0);
  assert.equal(await signatureComplaint(toPem('CERTIFICATE REQUEST', bytes)), 'x509: ECDSA verification failure');
});
