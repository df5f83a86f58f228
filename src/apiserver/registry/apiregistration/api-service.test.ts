/** Every rule of APIServices in upstream's words (pkg/apis/apiregistration/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { APIService } from '../../../api/types/apiregistration-v1.ts';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onSubresource, type Rule, withValue } from '../testing.ts';
import { apiServices } from './api-service.ts';

const base = sampleOf('apiregistration.k8s.io/apiservices', false);

test('api services', () => {
  const label =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
  const rules: Rule[] = [
    [
      'metadata.name',
      'other',
      'metadata.name: Invalid value: "other": must be `spec.version+"."+spec.group`: "v1.other.example.com"',
    ],
    ['metadata.name', 'a/b', 'metadata.name: Invalid value: "a/b": may not contain \'/\''],
    [
      'spec.group',
      '',
      'metadata.name: Invalid value: "v1.other.example.com": must be `spec.version+"."+spec.group`: "v1."',
    ],
    [
      'spec.version',
      '1',
      'metadata.name: Invalid value: "v1.other.example.com": must be `spec.version+"."+spec.group`: "1.other.example.com"',
      `spec.version: Invalid value: "1": ${label}`,
    ],
    [
      'spec.groupPriorityMinimum',
      20_001,
      'spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000',
    ],
    ['spec.versionPriority', 0, 'spec.versionPriority: Invalid value: 0: must be positive and less than 1000'],
    ['spec.service.namespace', '', 'spec.service.namespace: Required value'],
    ['spec.service.name', '', 'spec.service.name: Required value'],
    [
      'spec.service.port',
      70_000,
      'spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive',
    ],
    [
      'spec.caBundle',
      'YWJj',
      'spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present',
    ],
    [
      'spec.service',
      undefined,
      'spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify',
    ],
  ];
  assert.deepEqual(onCreate(apiServices, base, rules), rules);
  const local = withValue(withValue(base, 'spec.service', undefined), 'spec.insecureSkipTLSVerify', undefined);
  const bundle: Rule[] = [
    ['spec.caBundle', 'YWJj', 'spec.caBundle: Invalid value: "3 bytes": local APIServices may not have a caBundle'],
  ];
  assert.deepEqual(onCreate(apiServices, local, bundle), bundle);
  const status: Rule[] = [
    [
      'status.conditions',
      [{ type: 'Available', status: 'Maybe' }],
      'status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"',
    ],
    ['metadata.labels', { a: 'b' }],
  ];
  assert.deepEqual(onSubresource(apiServices, 'status', base, status), status);

  const remote = created<APIService>(apiServices, base);
  assert.deepEqual(remote.spec.service, { name: 'api', namespace: 'default', port: 443 });
  assert.deepEqual(
    [cells(apiServices, remote)['Service'], cells(apiServices, remote)['Available']],
    ['default/api', 'Unknown'],
  );
  const failing: APIService = { ...remote, status: { conditions: [{ type: 'Available', status: 'False' }] } };
  assert.equal(cells(apiServices, failing)['Available'], 'False');
  const own = cells(apiServices, created<APIService>(apiServices, local));
  assert.deepEqual([own['Service'], own['Available']], ['Local', 'True']);
});
