/** Every rule of the batch group in upstream's words (pkg/apis/batch/validation of v1.35). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, context, created, onCreate, onUpdate, type Rule, texts, withValue } from '../testing.ts';
import { cronJobs } from './cron-job.ts';
import { jobs } from './job.ts';

const negative = 'must be greater than or equal to 0';
const notNegative = (...paths: string[]): Rule[] =>
  paths.map(path => [path, -1, `${path}: Invalid value: -1: ${negative}`]);
const uid = '11111111-2222-3333-4444-555555555555';
const base = sampleOf('batch/jobs', true);
const changed = (...changes: [path: string, value: unknown][]) =>
  changes.reduce((draft, [path, value]) => withValue(draft, path, value), base);
const indexed = changed(['spec.completionMode', 'Indexed'], ['spec.completions', 3], ['spec.parallelism', 1]);
const noImage = 'spec.template.spec.containers[0].image: Required value';

const action = 'spec.podFailurePolicy.rules[0]';
const codes = `${action}.onExitCodes`;
const onCodes = (values: number[] | undefined, more: object = {}) => ({
  action: 'FailJob',
  onExitCodes: { operator: 'In', ...(values && { values }), ...more },
});
const success = 'spec.successPolicy.rules[0]';
const inIndexes = (succeededIndexes: string, error: string): Rule => [
  'spec.successPolicy',
  { rules: [{ succeededIndexes }] },
  `${success}.succeededIndexes: Invalid value: ${JSON.stringify(succeededIndexes)}: error parsing succeededIndexes: ${error}`,
];
const fragment = "violates the requirement that an index interval can have at most two parts separated by '-'";

describe('a new job', () => {
  test('in numbers, modes and policies', () => {
    const rules: Rule[] = [
      ...notNegative(
        'spec.parallelism',
        'spec.completions',
        'spec.activeDeadlineSeconds',
        'spec.backoffLimit',
        'spec.ttlSecondsAfterFinished',
      ),
      [
        'spec.backoffLimitPerIndex',
        -1,
        `spec.backoffLimitPerIndex: Invalid value: -1: ${negative}`,
        'spec.backoffLimitPerIndex: Invalid value: -1: requires indexed completion mode',
      ],
      [
        'spec.maxFailedIndexes',
        1,
        'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
        'spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode',
      ],
      [
        'spec.managedBy',
        'someone',
        'spec.managedBy: Invalid value: "someone": must be a domain-prefixed path (such as "acme.io/foo")',
      ],
      ['spec.managedBy', `a.io/${'x'.repeat(60)}`, 'spec.managedBy: Too long: may not be more than 63 bytes'],
      [
        'spec.completionMode',
        'Some',
        'spec.completionMode: Unsupported value: "Some": supported values: "NonIndexed", "Indexed"',
      ],
      [
        'spec.podReplacementPolicy',
        'Never',
        'spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"',
      ],
      [
        'spec.successPolicy',
        { rules: [{ succeededCount: 1 }] },
        'spec.successPolicy: Invalid value: {"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}: requires indexed completion mode',
      ],
    ];
    assert.deepEqual(onCreate(jobs, base, rules), rules);
  });
  test('in its template and selector', () => {
    const restart = 'spec.template.spec.restartPolicy';
    const labels = (name: string) =>
      `{"app":"web","batch.kubernetes.io/controller-uid":"${uid}","batch.kubernetes.io/job-name":"sample","controller-uid":"${uid}","job-name":"${name}"}`;
    const rules: Rule[] = [
      ['spec.template.spec.containers.0.image', '', noImage],
      [restart, undefined, `${restart}: Required value: valid values: "OnFailure", "Never"`],
      [restart, 'Always', `${restart}: Required value: valid values: "OnFailure", "Never"`],
      [
        'spec.selector',
        { matchLabels: { a: 'b' } },
        `spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":"${uid}"}}: \`selector\` not auto-generated`,
        `spec.template.metadata.labels: Invalid value: ${labels('sample')}: \`selector\` does not match template \`labels\``,
      ],
      [
        'spec.template.metadata.labels',
        { app: 'web', 'job-name': 'other' },
        `spec.template.metadata.labels[job-name]: Invalid value: ${labels('other')}: must be 'sample'`,
      ],
    ];
    assert.deepEqual(onCreate(jobs, base, rules), rules);
    const manual: Rule[] = [
      [
        'spec.manualSelector',
        true,
        'spec.selector: Required value',
        `spec.template.metadata.labels: Invalid value: {"app":"web"}: \`selector\` does not match template \`labels\``,
      ],
    ];
    assert.deepEqual(onCreate(jobs, base, manual), manual);
    const withoutUid: Rule[] = [['spec.parallelism', 1, 'metadata.uid: Required value']];
    assert.deepEqual(onCreate(jobs, withValue(base, 'metadata.uid', undefined), withoutUid), withoutUid);
  });
  test('with indexes', () => {
    const rules: Rule[] = [
      ['spec.completions', undefined, 'spec.completions: Required value: when completion mode is Indexed'],
      [
        'spec.parallelism',
        100_001,
        'spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed',
      ],
      [
        'metadata.name',
        'a.b',
        'metadata.name: Invalid value: "a.b": will not able to create pod with invalid DNS label: a.b-2',
      ],
      [
        'spec.successPolicy',
        {},
        'spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified',
      ],
      [
        'spec.successPolicy',
        { rules: Array.from({ length: 21 }, () => ({ succeededCount: 1 })) },
        'spec.successPolicy.rules: Too many: 21: must have at most 20 items',
      ],
      [
        'spec.successPolicy',
        { rules: [{}] },
        `${success}: Required value: at least one of succeededCount or succeededIndexes must be specified`,
      ],
      inIndexes('0-1-2', `the fragment "0-1-2" ${fragment}`),
      inIndexes('0-x', 'cannot convert string to integer for index: "x"'),
      inIndexes('3', 'too large index: "3"'),
      inIndexes('1-5', 'too large index: "5"'),
      inIndexes('2-1', 'non-increasing order, previous: 2, current: 1'),
      inIndexes('1,1', 'non-increasing order, previous: 1, current: 1'),
      [
        'spec.successPolicy',
        { rules: [{ succeededCount: 4, succeededIndexes: '0-1' }] },
        `${success}.succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of specified completions)`,
        `${success}.succeededCount: Invalid value: 4: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)`,
      ],
      [
        'spec.successPolicy',
        { rules: [{ succeededCount: -1 }] },
        `${success}.succeededCount: Invalid value: -1: ${negative}`,
      ],
    ];
    assert.deepEqual(onCreate(jobs, indexed, rules), rules);
    const limited = withValue(indexed, 'spec.backoffLimitPerIndex', 1);
    const limits: Rule[] = [
      [
        'spec.maxFailedIndexes',
        4,
        'spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions',
      ],
      [
        'spec.maxFailedIndexes',
        100_001,
        'spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to completions',
        'spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 100000',
      ],
      [
        'spec.completions',
        100_001,
        'spec.maxFailedIndexes: Required value: must be specified when completions is above 100000',
      ],
    ];
    assert.deepEqual(onCreate(jobs, limited, limits), limits);
    const used =
      'must be less than or equal to 10000 when completions are above 100000 and used with backoff limit per index';
    const many = withValue(limited, 'spec.completions', 100_001);
    const tight: Rule[] = [
      ['spec.maxFailedIndexes', 10_001, `spec.maxFailedIndexes: Invalid value: 10001: ${used}`],
      [
        'spec.parallelism',
        10_001,
        'spec.maxFailedIndexes: Required value: must be specified when completions is above 100000',
        `spec.parallelism: Invalid value: 10001: ${used}`,
      ],
    ];
    assert.deepEqual(onCreate(jobs, many, tight), tight);
  });
  test('in its rules for failed pods', () => {
    const rule = (value: object, ...errors: string[]): Rule => ['spec.podFailurePolicy', { rules: [value] }, ...errors];
    const conditions = (...patterns: object[]) => ({ action: 'Ignore', onPodConditions: patterns });
    const rules: Rule[] = [
      [
        'spec.podFailurePolicy',
        { rules: Array.from({ length: 21 }, () => onCodes([1])) },
        'spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items',
      ],
      rule(
        { onExitCodes: { operator: 'In', values: [1] } },
        `${action}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]`,
      ),
      rule(
        { ...onCodes([1]), action: 'Retry' },
        `${action}.action: Unsupported value: "Retry": supported values: "Count", "FailIndex", "FailJob", "Ignore"`,
      ),
      rule(
        { ...onCodes([1]), action: 'FailIndex' },
        `${action}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set`,
      ),
      rule(
        { action: 'Ignore' },
        `${action}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required`,
      ),
      rule(
        { ...onCodes([1]), onPodConditions: [{ type: 'A', status: 'True' }] },
        `${action}: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported`,
      ),
      rule(onCodes([1], { operator: '' }), `${codes}.operator: Required value: valid values: ["In" "NotIn"]`),
      rule(
        onCodes([1], { operator: 'Is' }),
        `${codes}.operator: Unsupported value: "Is": supported values: "In", "NotIn"`,
      ),
      rule(
        onCodes([1], { containerName: 'other' }),
        `${codes}.containerName: Invalid value: "other": must be one of the container or initContainer names in the pod template`,
      ),
      rule(onCodes([]), `${codes}.values: Invalid value: []: at least one value is required`),
      rule(onCodes(undefined), `${codes}.values: Invalid value: null: at least one value is required`),
      rule(
        onCodes(Array.from({ length: 256 }, (_, i) => i + 1)),
        `${codes}.values: Too many: 256: must have at most 255 items`,
      ),
      rule(onCodes([0]), `${codes}.values[0]: Invalid value: 0: must not be 0 for the In operator`),
      rule(onCodes([1, 1]), `${codes}.values[1]: Duplicate value: 1`),
      rule(onCodes([2, 1]), `${codes}.values: Invalid value: [2,1]: must be ordered`),
      rule(
        conditions(...Array.from({ length: 21 }, () => ({ type: 'A' }))),
        `${action}.onPodConditions: Too many: 21: must have at most 20 items`,
      ),
      rule(
        conditions({ type: 'A', status: 'Perhaps' }),
        `${action}.onPodConditions[0].status: Unsupported value: "Perhaps": supported values: "False", "True", "Unknown"`,
      ),
    ];
    assert.deepEqual(onCreate(jobs, base, rules), rules);
    const failing = withValue(base, 'spec.podFailurePolicy', { rules: [onCodes([1])] });
    const others: Rule[] = [
      [
        'spec.template.spec.restartPolicy',
        'OnFailure',
        'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified',
      ],
      [
        'spec.podReplacementPolicy',
        'TerminatingOrFailed',
        'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
      ],
    ];
    assert.deepEqual(onCreate(jobs, failing, others), others);
  });
  test('is given labels and a selector by its uid', () => {
    const { metadata, spec } = created(jobs, withValue(base, 'spec.template.metadata', undefined));
    assert.deepEqual(spec.selector, { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } });
    assert.deepEqual(spec.template.metadata?.labels, metadata.labels);
    assert.equal(metadata.labels?.['job-name'], 'sample');
  });
  test('warned about: names and very many indexes', () => {
    const huge = withValue(withValue(indexed, 'spec.completions', 100_001), 'spec.parallelism', 10_001);
    const warnings = jobs.warnings?.(created(jobs, withValue(huge, 'metadata.name', 'a.b')), undefined) ?? [];
    assert.match(warnings[0] ?? '', /^metadata\.name: this is used in Pod names and hostnames/);
    assert.deepEqual(warnings.slice(1), [
      'spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail',
    ]);
  });
});

describe('a stored job', () => {
  const fixed = 'field is immutable';
  test('changes little', () => {
    const rules: Rule[] = [
      ['spec.parallelism', 5],
      ['spec.suspend', true],
      ['spec.backoffLimit', 2],
      ['spec.completions', 4, `spec.completions: Invalid value: 4: ${fixed}`],
      ['spec.completionMode', 'Indexed', `spec.completionMode: Invalid value: "Indexed": ${fixed}`],
      ['spec.managedBy', 'a.io/b', `spec.managedBy: Invalid value: "a.io/b": ${fixed}`],
    ];
    assert.deepEqual(onUpdate(jobs, base, rules), rules);
    const elastic: Rule[] = [
      [
        'spec.completions',
        2,
        'spec.completions: Invalid value: 2: can only be modified in tandem with spec.parallelism',
      ],
      ['spec.completions', 1],
    ];
    assert.deepEqual(onUpdate(jobs, indexed, elastic), elastic);
  });
  const templateErrors = (draft: object, path: string, value: unknown, startTime?: string) => {
    const old = created(jobs, draft);
    if (startTime) old.status = { startTime };
    const obj = withValue(old, path, value) as typeof old;
    return texts(jobs.validateUpdate?.(obj, old, context)).map(text => text.replace(/\{.*\}/, '…'));
  };
  test('keeps its template, but for what the scheduler is told before it first runs', () => {
    const suspended = withValue(base, 'spec.suspend', true);
    const selector = ['spec.template.spec.nodeSelector', { zone: 'a' }] as const;
    assert.deepEqual(templateErrors(base, ...selector), [`spec.template: Invalid value: …: ${fixed}`]);
    assert.deepEqual(templateErrors(suspended, ...selector), []);
    assert.deepEqual(templateErrors(suspended, ...selector, '2026-01-01T00:00:00Z'), [
      `spec.template: Invalid value: …: ${fixed}`,
    ]);
    assert.deepEqual(templateErrors(suspended, 'spec.template.spec.hostname', 'a'), [
      `spec.template: Invalid value: …: ${fixed}`,
    ]);
    for (const [path, value] of [
      ['spec.template.metadata.annotations', { a: 'b' }],
      ['spec.template.spec.tolerations', [{ key: 'a', operator: 'Exists' }]],
      ['spec.template.spec.affinity', { nodeAffinity: {} }],
    ] as const) {
      assert.deepEqual(templateErrors(suspended, path, value), [], path);
    }
  });
  test('from before the labels had a prefix needs none', () => {
    const old = created(jobs, base);
    const labels = { 'controller-uid': uid, 'job-name': 'sample' };
    old.spec.template.metadata = { labels };
    old.spec.selector = { matchLabels: { 'controller-uid': uid } };
    assert.deepEqual(texts(jobs.validateUpdate?.(structuredClone(old), old, context)), []);
  });
});

const at = '2026-01-01T00:00:00Z';
const later = '2026-01-01T00:05:00Z';
const condition = (type: string, status = 'True') => ({ type, status });
const complete = { conditions: [condition('SuccessCriteriaMet'), condition('Complete')] };
const failed = { conditions: [condition('FailureTarget'), condition('Failed')] };
const done = { ...complete, startTime: at, completionTime: later };
const unshown = (detail: string) => `status.conditions: Invalid value: ${detail}`;

describe('the status of a job', () => {
  const write = (draft: object, before: object, now: object) => {
    const old = created(jobs, draft);
    old.status = before;
    const obj = structuredClone(old);
    obj.status = now;
    return texts(jobs.subresources?.['status']?.validateUpdate?.(obj, old, context));
  };
  const cases: [what: string, draft: object, before: object, now: object, errors: string[]][] = [
    ['may be empty', base, {}, {}, []],
    ['counts from zero', base, {}, { active: -1 }, [`status.active: Invalid value: -1: ${negative}`]],
    [
      'names each uncounted pod once',
      base,
      {},
      { uncountedTerminatedPods: { succeeded: ['', 'a'], failed: ['a'] } },
      [
        'status.uncountedTerminatedPods.succeeded[0]: Invalid value: "": must not be empty',
        'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
      ],
    ],
    ['completes', base, { startTime: at }, done, []],
    ['fails', base, { startTime: at }, { startTime: at, ...failed }, []],
    [
      'does not complete and fail',
      base,
      { startTime: at },
      { ...done, conditions: [...complete.conditions, ...failed.conditions] },
      [
        unshown('cannot set Complete=True and Failed=true conditions'),
        unshown('cannot set Complete=True and FailureTarget=true conditions'),
        unshown('cannot set SuccessCriteriaMet=True and Failed=true conditions'),
        unshown('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'),
      ],
    ],
    [
      'has a completion time only when complete',
      base,
      { startTime: at },
      { startTime: at, completionTime: later },
      [
        `status.completionTime: Invalid value: "${later}": cannot set completionTime when there is no Complete=True condition`,
      ],
    ],
    [
      'has a completion time when complete',
      base,
      { startTime: at },
      { startTime: at, ...complete },
      ['status.completionTime: Required value: completionTime is required for Complete jobs'],
    ],
    [
      'does not complete before it starts',
      base,
      {},
      { ...done, startTime: later, completionTime: at },
      [`status.completionTime: Invalid value: "${at}": must be equal to or after \`startTime\``],
    ],
    [
      'announces its failure',
      base,
      { startTime: at },
      { startTime: at, conditions: [condition('Failed')] },
      [unshown('cannot set Failed=True condition without the FailureTarget=true condition')],
    ],
    [
      'announces its success',
      base,
      { startTime: at },
      { ...done, conditions: [condition('Complete')] },
      [unshown('cannot set Complete=True condition without the SuccessCriteriaMet=true condition')],
    ],
    [
      'has nothing running when it ends',
      base,
      { startTime: at },
      { ...done, active: 1, terminating: 1, uncountedTerminatedPods: { failed: ['a'] } },
      [
        'status.active: Invalid value: 1: active>0 is invalid for finished job',
        'status.uncountedTerminatedPods: Invalid value: {"Succeeded":null,"Failed":["a"]}: must be empty for finished job',
        'status.terminating: Invalid value: 1: terminating>0 is invalid for finished job',
      ],
    ],
    [
      'has a start when it ends',
      base,
      {},
      { ...complete, completionTime: later },
      ['status.startTime: Required value: startTime is required for finished job'],
    ],
    [
      'reads its indexes',
      withValue(indexed, 'spec.backoffLimitPerIndex', 1),
      {},
      { completedIndexes: '9', failedIndexes: '2,1' },
      [
        'status.completedIndexes: Invalid value: "9": error parsing completedIndexes: too large index: "9"',
        'status.failedIndexes: Invalid value: "2,1": error parsing failedIndexes: non-increasing order, previous: 2, current: 1',
      ],
    ],
    [
      'has no index completed and failed',
      withValue(indexed, 'spec.backoffLimitPerIndex', 1),
      {},
      { completedIndexes: '0-1', failedIndexes: '1-2' },
      ['status.failedIndexes: Invalid value: "1-2": failedIndexes and completedIndexes overlap at index: 1'],
    ],
    [
      'has indexes only when the job has',
      base,
      {},
      { completedIndexes: '0', failedIndexes: '' },
      [
        'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode',
        'status.failedIndexes: Invalid value: "": cannot set non-null failedIndexes when backoffLimitPerIndex is null',
      ],
    ],
    [
      'has no more ready pods than pods',
      base,
      {},
      { ready: 1 },
      ['status.ready: Invalid value: 1: cannot set more ready pods than active'],
    ],
    [
      'meets the success policy before it completes',
      withValue(indexed, 'spec.successPolicy', { rules: [{ succeededCount: 1 }] }),
      { startTime: at },
      { ...done, conditions: [condition('Complete')] },
      [
        unshown('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'),
        unshown('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'),
      ],
    ],
    [
      'does not take back the end',
      base,
      done,
      { startTime: at },
      [
        unshown('cannot disable the terminal Complete=True condition'),
        unshown('cannot disable the SuccessCriteriaMet=True condition'),
      ],
    ],
    [
      'counts up',
      base,
      { failed: 2, succeeded: 2 },
      { failed: 1, succeeded: 1 },
      [
        'status.failed: Invalid value: 1: cannot decrease the failed counter',
        'status.succeeded: Invalid value: 1: cannot decrease the succeeded counter',
      ],
    ],
    [
      'counts successes down with an elastic job',
      withValue(indexed, 'spec.parallelism', 3),
      { succeeded: 2 },
      { succeeded: 1 },
      [],
    ],
    [
      'keeps its times',
      base,
      done,
      { ...done, startTime: later, completionTime: '2026-01-01T00:06:00Z' },
      [
        'status.completionTime: Invalid value: "2026-01-01T00:06:00Z": field is immutable',
        `status.startTime: Invalid value: "${later}": field is immutable for unsuspended job once set`,
      ],
    ],
    [
      'starts anew when it is resumed',
      base,
      { startTime: at, conditions: [condition('Suspended')] },
      { startTime: later, conditions: [condition('Suspended', 'False')] },
      [],
    ],
    [
      'may keep what is wrong',
      base,
      { ready: 1, completedIndexes: '7' },
      { ready: 1, completedIndexes: '7', failed: 1 },
      [],
    ],
  ];
  for (const [what, draft, before, now, errors] of cases) {
    test(what, () => assert.deepEqual(write(draft, before, now), errors));
  }
});

describe('cron jobs', () => {
  const cron = sampleOf('batch/cronjobs', true);
  const template = 'spec.jobTemplate.spec';
  const zone = (name: string, ...whys: string[]): Rule => [
    'spec.timeZone',
    name,
    ...whys.map(why => `spec.timeZone: Invalid value: ${JSON.stringify(name)}: ${why}`),
  ];
  const local = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
  const inSchedule = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
  const both = 'cannot use both timeZone field and TZ or CRON_TZ in schedule';
  test('when made', () => {
    const long = 'x'.repeat(53);
    const rules: Rule[] = [
      ['metadata.name', long, `metadata.name: Invalid value: "${long}": must be no more than 52 characters`],
      ['spec.schedule', '', 'spec.schedule: Required value'],
      [
        'spec.schedule',
        '* * * *',
        'spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]',
      ],
      [
        'spec.schedule',
        '61 * * * *',
        'spec.schedule: Invalid value: "61 * * * *": end of range (61) above maximum (59): 61',
      ],
      ['spec.schedule', 'TZ=UTC 0 * * * *', `spec.schedule: Invalid value: "TZ=UTC 0 * * * *": ${inSchedule}`],
      [
        'spec.schedule',
        'CRON_TZ=Mars 0 * * * *',
        'spec.schedule: Invalid value: "CRON_TZ=Mars 0 * * * *": provided bad location Mars: unknown time zone Mars',
        `spec.schedule: Invalid value: "CRON_TZ=Mars 0 * * * *": ${inSchedule}`,
      ],
      ...notNegative('spec.startingDeadlineSeconds', 'spec.successfulJobsHistoryLimit', 'spec.failedJobsHistoryLimit'),
      zone('America/New_York'),
      zone('', 'timeZone must be nil or non-empty string'),
      zone('Mars/Base', 'unknown time zone Mars/Base'),
      zone('../etc', 'unknown time zone ../etc'),
      zone('Local', local),
      zone('local', local, 'unknown time zone local'),
      [
        'spec.concurrencyPolicy',
        'Perhaps',
        'spec.concurrencyPolicy: Unsupported value: "Perhaps": supported values: "Allow", "Forbid", "Replace"',
      ],
      [
        `${template}.manualSelector`,
        true,
        `${template}.manualSelector: Unsupported value: true: supported values: "nil", "false"`,
      ],
      [
        `${template}.selector`,
        { matchLabels: { a: 'b' } },
        `${template}.selector: Invalid value: {"matchLabels":{"a":"b"}}: \`selector\` will be auto-generated`,
      ],
      [
        `${template}.template.spec.containers.0.image`,
        '',
        `${template}.template.spec.containers[0].image: Required value`,
      ],
    ];
    assert.deepEqual(onCreate(cronJobs, cron, rules), rules);
  });
  test('stored with a zone in their schedule may keep it, with a warning', () => {
    const old = created(cronJobs, withValue(cron, 'spec.schedule', 'TZ=UTC 0 * * * *'));
    const errors = (path: string, value: unknown) =>
      texts(cronJobs.validateUpdate?.(withValue(old, path, value) as typeof old, old, context));
    assert.deepEqual(errors('spec.suspend', true), []);
    assert.deepEqual(errors('spec.timeZone', 'UTC'), [`spec.schedule: Invalid value: "TZ=UTC 0 * * * *": ${both}`]);
    assert.deepEqual(cronJobs.warnings?.(old, old), [
      'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
    ]);
  });
  test('stored with a long name or an unknown zone may keep them', () => {
    const old = created(cronJobs, withValue(withValue(cron, 'spec.timeZone', 'Mars'), 'metadata.name', 'x'.repeat(60)));
    assert.deepEqual(texts(cronJobs.validateUpdate?.(structuredClone(old), old, context)), []);
  });
});

describe('kubectl get jobs', () => {
  const row = (draft: object, status: object) => {
    const job = created(jobs, draft);
    job.status = status;
    const { Status, Completions } = cells(jobs, job);
    return [Status, Completions];
  };
  test('says how far they are', () => {
    assert.deepEqual(row(base, {}), ['Running', '0/1']);
    assert.deepEqual(row(base, done), ['Complete', '0/1']);
    assert.deepEqual(row(base, failed), ['Failed', '0/1']);
    assert.deepEqual(row(base, { conditions: [condition('FailureTarget')] }), ['FailureTarget', '0/1']);
    assert.deepEqual(row(base, { conditions: [condition('SuccessCriteriaMet')] }), ['SuccessCriteriaMet', '0/1']);
    assert.deepEqual(row(base, { conditions: [condition('Suspended')] }), ['Suspended', '0/1']);
    assert.deepEqual(row(withValue(base, 'metadata.deletionTimestamp', at), {}), ['Terminating', '0/1']);
    assert.deepEqual(row(withValue(base, 'spec.parallelism', 3), { succeeded: 1 }), ['Running', '1/1 of 3']);
    assert.deepEqual(row(indexed, { succeeded: 2 }), ['Running', '2/3']);
  });
});
