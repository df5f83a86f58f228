import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '../../api/types/apiextensions-v1.ts';
import { acceptNames } from './naming.ts';

const crd = (plural: string, names: object = {}, accepted?: object): CustomResourceDefinition =>
  ({
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      names: { plural, singular: plural.slice(0, -1), kind: plural, listKind: `${plural}List`, ...names },
    },
    status: { ...(accepted && { acceptedNames: accepted }) },
  }) as CustomResourceDefinition;

test('the first that asks for a name holds it', () => {
  const holder = crd(
    'widgets',
    {},
    { plural: 'widgets', singular: 'widget', shortNames: ['w'], kind: 'Widget', listKind: 'L' },
  );
  const cases: [object, string | undefined, string | undefined][] = [
    [{}, undefined, undefined],
    [{ singular: 'widget' }, 'SingularConflict', '"widget" is already in use'],
    [{ shortNames: ['w', 'x'] }, 'ShortNamesConflict', '"w" is already in use'],
    [{ kind: 'Widget' }, 'KindConflict', '"Widget" is already in use'],
    [{ listKind: 'L', kind: 'Widget' }, 'ListKindConflict', '"L" is already in use'],
  ];
  for (const [names, reason, message] of cases) {
    const asking = crd('gadgets', names);
    const { conflict } = acceptNames(asking, [holder, asking]);
    assert.deepEqual([conflict?.reason, conflict?.message], [reason, message]);
  }
});

test('names without conflict are accepted beside those with one, and its own stay', () => {
  const holder = crd('widgets', {}, { plural: 'widgets', shortNames: ['w'], kind: 'Widget' });
  const asking = crd('gadgets', { shortNames: ['w'], categories: ['all'] }, { plural: 'gadgets', kind: 'gadgets' });
  const { accepted } = acceptNames(asking, [holder, asking]);
  assert.deepEqual(accepted, {
    plural: 'gadgets',
    singular: 'gadget',
    kind: 'gadgets',
    listKind: 'gadgetsList',
    categories: ['all'],
  });
});
