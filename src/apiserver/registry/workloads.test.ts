/** Exact complaints about workloads, per kind a table of one broken field each. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { strategies } from './index.ts';
import { sampleOf } from './samples.ts';
import { created, createErrors, updateErrors, withValue } from './testing.ts';

type Case = [what: string, path: string, value: unknown, errors: string[]];

const tables: Record<string, Case[]> = {
  'batch/jobs': [
    [
      'pods that are always restarted',
      'spec.template.spec.restartPolicy',
      'Always',
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      'a selector of its own',
      'spec.selector',
      { matchLabels: { a: 'b' } },
      [
        'spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` not auto-generated',
        'spec.template.metadata.labels: Invalid value: {"app":"web","job-name":"sample","batch.kubernetes.io/job-name":"sample","controller-uid":"","batch.kubernetes.io/controller-uid":""}: `selector` does not match template `labels`',
      ],
    ],
    [
      'an index mode without completions',
      'spec',
      {
        completionMode: 'Indexed',
        parallelism: 1,
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'b' }] } },
      },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
  ],
  'batch/cronjobs': [
    [
      'four fields',
      'spec.schedule',
      '* * * *',
      ['spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]'],
    ],
    [
      'a minute that does not exist',
      'spec.schedule',
      '61 * * * *',
      ['spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61'],
    ],
    [
      'a zone that does not exist',
      'spec.timeZone',
      'Mars/Base',
      ['spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'],
    ],
    [
      'an unknown policy',
      'spec.concurrencyPolicy',
      'Perhaps',
      ['spec.concurrencyPolicy: Unsupported value: "Perhaps": supported values: "Allow", "Forbid", "Replace"'],
    ],
  ],
};

for (const [resource, cases] of Object.entries(tables)) {
  const strategy = strategies.find(s => s.resource === resource);
  assert.ok(strategy);
  describe(resource, () => {
    for (const [what, path, value, errors] of cases) {
      test(`${what} is refused`, () => {
        assert.deepEqual(createErrors(strategy, withValue(sampleOf(resource, true), path, value)), errors);
      });
    }
  });
}

describe('updates', () => {
  const update = (resource: string, change: (obj: { spec: Record<string, unknown> }) => void) => {
    const strategy = strategies.find(s => s.resource === resource);
    assert.ok(strategy);
    return updateErrors(strategy, sampleOf(resource, true), obj =>
      change(obj as unknown as { spec: Record<string, unknown> }),
    );
  };
  test("a job's template is fixed once it runs", () => {
    const errors = update('batch/jobs', ({ spec }) => {
      const template = structuredClone(spec['template']) as { spec: { nodeSelector?: object } };
      template.spec.nodeSelector = { a: 'b' };
      spec['template'] = template;
    });
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? '', /^spec.template: Invalid value: .*: field is immutable$/);
  });
});

test('a job gets labels and a selector from its uid', () => {
  const jobs = strategies.find(s => s.resource === 'batch/jobs');
  assert.ok(jobs);
  const draft = sampleOf('batch/jobs', true) as { metadata: object };
  const job = created(jobs, { ...draft, metadata: { ...draft.metadata, uid: 'u-7' } }) as unknown as {
    spec: { selector: object };
  };
  assert.deepEqual(job.spec.selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-7' } });
});
