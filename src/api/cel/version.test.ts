import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions, parseVersion, tryParseVersion } from './version.ts';

test('the order of the specification, item 11', () => {
  const ordered =
    '1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.0.1 1.9.0 1.10.0 2.0.0';
  const versions = ordered.split(' ').map(text => parseVersion(text));
  for (const [i, a] of versions.entries())
    for (const [j, b] of versions.entries()) assert.equal(compareVersions(a, b), Math.sign(i - j), `${i} and ${j}`);
  assert.equal(compareVersions(parseVersion('1.0.0+a'), parseVersion('1.0.0+b')), 0);
});

test('what is no version', () => {
  for (const text of ['', '1', '1.2', 'v1.2.3', '01.2.3', '1.2.3-', '1.2.3-01', '1.2.3-a..b', '1.2.3.4', ' 1.2.3'])
    assert.equal(tryParseVersion(text), undefined, text);
  assert.throws(() => parseVersion('1.2'), /"1.2" is not a semantic version/);
});

test('looser ways to write one', () => {
  for (const [text, release] of [
    ['v1', '1.0.0'],
    ['1.2', '1.2.0'],
    ['v01.002.3', '1.2.3'],
  ] as const)
    assert.deepEqual(tryParseVersion(text, true), parseVersion(release), text);
  assert.equal(tryParseVersion('one', true), undefined);
});
