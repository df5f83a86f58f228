/** Every rule of runtime classes in upstream's words (pkg/apis/node/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { created, onCreate, onUpdate, type Rule, withValue } from '../testing.ts';
import { runtimeClasses } from './runtime-class.ts';

const base = sampleOf('node.k8s.io/runtimeclasses', false);
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

test('runtime classes', () => {
  const toleration = { key: 'a', operator: 'Equal', value: 'b', effect: 'NoExecute' };
  const rules: Rule[] = [
    ['handler', '', `handler: Invalid value: "": ${label}`],
    ['handler', 'Run C', `handler: Invalid value: "Run C": ${label}`],
    [
      'overhead',
      { podFixed: { cpu: '-1' } },
      'overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [
      'scheduling',
      { nodeSelector: { a: '!' } },
      "scheduling.nodeSelector: Invalid value: \"!\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
    [
      'scheduling',
      { tolerations: [toleration, { ...toleration, tolerationSeconds: 5 }] },
      'scheduling.tolerations[1]: Duplicate value: {"Key":"a","Operator":"Equal","Value":"b","Effect":"NoExecute","TolerationSeconds":5}',
    ],
  ];
  assert.deepEqual(onCreate(runtimeClasses, base, rules), rules);
  const updates: Rule[] = [
    ['overhead', { podFixed: { cpu: '1' } }],
    ['handler', 'other', 'handler: Invalid value: "other": field is immutable'],
  ];
  assert.deepEqual(onUpdate(runtimeClasses, base, updates), updates);
  assert.equal(runtimeClasses.allowCreateOnUpdate, true);
  assert.equal(runtimeClasses.allowUnconditionalUpdate, false);
});

test('runtime classes warn about old labels of nodes', () => {
  const made = created(
    runtimeClasses,
    withValue(base, 'scheduling.nodeSelector', { 'beta.kubernetes.io/os': 'linux' }),
  );
  assert.deepEqual(runtimeClasses.warnings?.(made, undefined), [
    'scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead',
  ]);
});
