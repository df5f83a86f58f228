/** Every rule of events, in both groups, in upstream's words (pkg/apis/core/validation/events.go of v1.35). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onUpdate, type Rule, withValue } from '../testing.ts';
import { coreEvents, events } from './event.ts';

const old = sampleOf('/events', true);
const fresh = sampleOf('events.k8s.io/events', true);
const elsewhere = (namespace: string) =>
  `involvedObject.namespace: Invalid value: ${JSON.stringify(namespace)}: does not match event.namespace`;
const long = 'x'.repeat(129);
const atMost = (path: string, max: number) => `${path}: Invalid value: "": can have at most ${max} characters`;
const qualified = [
  'name part must be non-empty',
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
];
const noReporter = (path: string) => [
  `${path}: Required value`,
  ...qualified.map(why => `${path}: Invalid value: "": ${why}`),
];

/** What new-style events say in both groups. */
const newStyle = (controller: string): Rule[] => [
  ['involvedObject.namespace', 'other'],
  ['reportingComponent', '', ...noReporter(controller)],
  ['reportingInstance', '', 'reportingInstance: Required value'],
  ['reportingInstance', long, atMost('reportingInstance', 128)],
  ['action', '', 'action: Required value'],
  ['action', long, atMost('action', 128)],
  ['reason', '', 'reason: Required value'],
  ['reason', long, atMost('reason', 128)],
  ['message', 'x'.repeat(1025), atMost('message', 1024)],
];

describe('core events', () => {
  test('of the old style', () => {
    const rules: Rule[] = [
      ['metadata.name', 'Not_a.DNS:name'],
      ['type', 'Odd'],
      ['reason', ''],
      ['involvedObject.namespace', 'other', elsewhere('other')],
      ['involvedObject.namespace', ''],
    ];
    assert.deepEqual(onCreate(coreEvents, old, rules), rules);
    assert.deepEqual(onUpdate(coreEvents, old, rules.slice(1)), rules.slice(1));
    const inSystem = withValue(old, 'metadata.namespace', 'kube-system');
    const homeless: Rule[] = [['involvedObject.namespace', '', elsewhere('')]];
    assert.deepEqual(onCreate(coreEvents, inSystem, homeless), homeless);
  });
  test('of the new style', () => {
    const rules = newStyle('reportingComponent');
    assert.deepEqual(onCreate(coreEvents, fresh, rules), rules);
    const inSystem = withValue(fresh, 'metadata.namespace', 'kube-system');
    const homeless: Rule[] = [['involvedObject.namespace', '']];
    assert.deepEqual(onCreate(coreEvents, inSystem, homeless), homeless);
  });
});

describe('events of events.k8s.io', () => {
  test('when made', () => {
    const unset = (path: string, value: unknown): Rule => [
      path,
      value,
      `${path}: Invalid value: "": needs to be unset`,
    ];
    const rules: Rule[] = [
      ...newStyle('reportingController'),
      ['eventTime', undefined, 'eventTime: Required value'],
      ['type', 'Odd', 'type: Invalid value: "": has invalid value: Odd'],
      unset('firstTimestamp', '2026-01-01T00:00:00Z'),
      unset('lastTimestamp', '2026-01-01T00:00:00Z'),
      unset('count', 1),
      unset('source', { host: 'n1' }),
      [
        'series',
        { count: 1 },
        'series.count: Invalid value: "": should be at least 2',
        'series.lastObservedTime: Required value',
      ],
    ];
    assert.deepEqual(onCreate(events, fresh, rules), rules);
  });
  test('when changed', () => {
    const fixed = (path: string, value: unknown, name = path): Rule => [
      path,
      value,
      `${name}: Invalid value: ${JSON.stringify(value)}: field is immutable`,
    ];
    const series = { count: 2, lastObservedTime: '2026-01-01T00:01:00.000000Z' };
    const rules: Rule[] = [
      ['series', series],
      ['series', { ...series, count: 1 }, 'series.count: Invalid value: "": should be at least 2'],
      fixed('reason', 'Other'),
      fixed('message', 'Other'),
      fixed('type', 'Warning'),
      fixed('action', 'Other'),
      [
        'related',
        { name: 'x' },
        'related: Invalid value: {"Kind":"","Namespace":"","Name":"x","UID":"","APIVersion":"","ResourceVersion":"","FieldPath":""}: field is immutable',
      ],
      fixed('reportingComponent', 'example.com/d', 'reportingController'),
      fixed('reportingInstance', 'd-1'),
      ['eventTime', '2026-01-01T00:00:00.000000999Z'],
      fixed('eventTime', '2026-01-01T00:00:00.000001Z'),
    ];
    assert.deepEqual(onUpdate(events, fresh, rules), rules);
  });
  test('have fields of their own names', () => {
    assert.equal(events.fieldNames?.['regarding.kind'], 'involvedObject.kind');
    assert.equal(events.fieldNames?.['reportingController'], 'reportingComponent');
    assert.equal(Object.hasOwn(events.fieldNames ?? {}, 'involvedObject.kind'), false);
  });
});

test('kubectl get events', () => {
  const { Name, Count, Object: target, Source } = cells(coreEvents, created(coreEvents, fresh));
  assert.deepEqual([Name, Count, target, Source], ['sample', 1, 'pod/a', 'example.com/c, c-1']);
  const series = { count: 7, lastObservedTime: '1970-01-01T00:00:00Z' };
  const repeated = cells(coreEvents, created(coreEvents, withValue(fresh, 'series', series)));
  assert.deepEqual([repeated['Count'], repeated['Last Seen']], [7, '0s']);
  const plain = cells(coreEvents, created(coreEvents, withValue(old, 'source', { component: 'kubelet', host: 'n1' })));
  assert.deepEqual([plain['Source'], plain['Last Seen']], ['kubelet, n1', '<unknown>']);
});
