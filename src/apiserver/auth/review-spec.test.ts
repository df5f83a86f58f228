/** Every rule of access reviews in upstream's words (pkg/apis/authorization/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubjectAccessReview } from '../../api/types/authorization-v1.ts';
import { texts } from '../registry/testing.ts';
import type { Attributes, Authorizer } from './contract.ts';
import { questionOf, type ReviewSpec, validateReviewMetadata, validateReviewSpec } from './review-spec.ts';
import { reviewLocalSubjectAccess, reviewSelf, reviewSubjectAccess } from './reviews.ts';

const user = { name: 'jane', groups: [] };
const resource = { verb: 'list', resource: 'pods', namespace: 'ns' };
const nonResource = { path: '/x', verb: 'get' };

test('specs', () => {
  const at = 'spec.resourceAttributes';
  const fields = (fieldSelector: object) => ({ user: 'x', resourceAttributes: { ...resource, fieldSelector } });
  const labels = (labelSelector: object) => ({ user: 'x', resourceAttributes: { ...resource, labelSelector } });
  const rules: [spec: object, ...errors: string[]][] = [
    [{ user: 'x', resourceAttributes: resource }],
    [{ groups: ['g'], nonResourceAttributes: nonResource }],
    [
      { resourceAttributes: resource, nonResourceAttributes: nonResource },
      'spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":"get"}: cannot be specified in combination with resourceAttributes',
      'spec.user: Invalid value: "": at least one of user or group must be specified',
    ],
    [
      { user: 'x' },
      `${at}: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified`,
    ],
    [
      fields({}),
      `${at}.fieldSelector.requirements: Required value: when ${at}.fieldSelector is specified, requirements or rawSelector is required`,
    ],
    [
      fields({ rawSelector: 'a=b', requirements: [{ key: '', operator: 'In' }] }),
      `${at}.fieldSelector.rawSelector: Invalid value: "a=b": may not specified at the same time as requirements`,
      `${at}.fieldSelector.requirements[0].key: Required value: must be specified`,
      `${at}.fieldSelector.requirements[0].values: Required value: must be specified when \`operator\` is 'In' or 'NotIn'`,
    ],
    [
      labels({ requirements: [{ key: 'a', operator: 'Exists', values: ['b'] }] }),
      `${at}.labelSelector.requirements[0].values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`,
    ],
    [labels({ requirements: [{ key: 'a', operator: 'Gt', values: ['1'] }] })],
  ];
  assert.deepEqual(
    rules.map(([spec]) => [spec, ...texts(validateReviewSpec(spec, true))]),
    rules,
  );
});

test('metadata', () => {
  assert.deepEqual(validateReviewMetadata({ name: '', managedFields: [{}] }, false), []);
  assert.deepEqual(texts(validateReviewMetadata({ name: 'a' }, false)), [
    'metadata: Invalid value: {"name":"a"}: must be empty',
  ]);
  assert.deepEqual(validateReviewMetadata({ name: '', namespace: 'ns' }, true), []);
  assert.deepEqual(texts(validateReviewMetadata({ name: 'a', namespace: 'ns' }, true)), [
    'metadata: Invalid value: {"name":"a","namespace":"ns"}: must be empty except for namespace',
  ]);
});

test('selectors reach authorizers as text; what cannot be understood is told', async () => {
  const ignored = (name: string, how = 'ignored') => `spec.resourceAttributes.${name} ${how} due to parse error`;
  const one = { key: 'spec.nodeName', operator: 'In', values: ['n'] };
  const cases: [
    attributes: object,
    asked: Pick<Attributes, 'fieldSelector' | 'labelSelector'>,
    ...ignored: string[],
  ][] = [
    [{ fieldSelector: { rawSelector: 'a==b,c!=d' } }, { fieldSelector: 'a=b,c!=d' }],
    [{ fieldSelector: { requirements: [one] } }, { fieldSelector: 'spec.nodeName=n' }],
    [
      { fieldSelector: { requirements: [one, { key: 'b', operator: 'Exists' }] } },
      { fieldSelector: 'spec.nodeName=n' },
      ignored('fieldSelector', 'partially ignored'),
    ],
    [{ fieldSelector: { rawSelector: 'a' } }, {}, ignored('fieldSelector')],
    [{ labelSelector: { requirements: [{ key: 'a', operator: 'DoesNotExist' }] } }, { labelSelector: '!a' }],
    [{ labelSelector: { requirements: [{ key: 'a', operator: 'Gt', values: ['1'] }] } }, {}, ignored('labelSelector')],
    [{ labelSelector: { rawSelector: 'a in' } }, {}, ignored('labelSelector')],
  ];
  for (const [attributes, asked, ...complaints] of cases) {
    const spec: ReviewSpec = { user: 'x', resourceAttributes: { ...resource, ...attributes } };
    const question = questionOf(spec, user);
    const { fieldSelector, labelSelector } = question.attributes;
    assert.deepEqual({ ...(fieldSelector && { fieldSelector }), ...(labelSelector && { labelSelector }) }, asked);
    assert.deepEqual(question.ignored, complaints);
  }
  const broken: Authorizer = { name: 'b', authorize: async () => Promise.reject(new Error('down')) };
  const spec = { user: 'x', resourceAttributes: { ...resource, fieldSelector: { rawSelector: 'a' } } };
  const { status } = await reviewSubjectAccess({ metadata: { name: '' }, spec }, broken);
  assert.equal(status?.evaluationError, `down; ${ignored('fieldSelector')}`);
});

test('local reviews are about resources of their namespace', async () => {
  const never: Authorizer = { name: 'n', authorize: async () => ({ result: 'no-opinion', reason: '' }) };
  const ask = (metadata: object, spec: object) =>
    reviewLocalSubjectAccess({ metadata, spec } as SubjectAccessReview, 'ns', never);
  await assert.rejects(ask({ namespace: 'ns' }, { user: 'x', nonResourceAttributes: nonResource }), {
    message:
      '.authorization.k8s.io "" is invalid: spec.nonResourceAttributes: Invalid value: {"Path":"/x","Verb":"get"}: disallowed on this kind of request',
  });
  await assert.rejects(ask({ namespace: 'ns' }, { user: 'x', resourceAttributes: { ...resource, namespace: 'b' } }), {
    message:
      '.authorization.k8s.io "" is invalid: spec.resourceAttributes.namespace: Invalid value: "b": must match metadata.namespace',
  });
  const elsewhere = ask({ namespace: 'b' }, { user: 'x', resourceAttributes: { ...resource, namespace: 'b' } });
  await assert.rejects(elsewhere, { message: 'spec.resourceAttributes.namespace must match namespace: ns' });
});

test('a review of oneself tells nothing of what was sent', () => {
  const { metadata, status } = reviewSelf({ metadata: { name: 'a', labels: { a: 'b' } } }, user, 0);
  assert.deepEqual(metadata, { name: '', creationTimestamp: '1970-01-01T00:00:00Z' });
  assert.equal(status?.userInfo?.username, 'jane');
});
