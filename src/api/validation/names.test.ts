import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as ip from './ip.ts';
import * as n from './names.ts';

const long = (count: number) => 'a'.repeat(count);

test('names: what passes and what does not', () => {
  const table: [(value: string) => string[], string[], string[]][] = [
    [n.isDns1123Label, ['a', '1', 'a-b', long(63)], ['', 'A', '-a', 'a-', 'a.b', long(64), 'a_b', 'é', 'a\n']],
    [n.isDns1123Subdomain, ['a.b', 'a', long(253)], ['', 'A.b', 'a..b', '.a', 'a.', long(254)]],
    [n.isDns1035Label, ['a', 'a1-b'], ['1a', '', 'a.b', long(64)]],
    [n.isWildcardDns1123Subdomain, ['*.a.b'], ['*', '*.*.a', 'a.b', '*a.b']],
    [n.isLabelValue, ['', 'a', 'A_b.c-d', long(63)], ['-a', 'a-', 'a b', long(64), '/']],
    [n.isQualifiedName, ['a', 'a.b/c', 'A_b'], ['', '/a', 'a/', 'a/b/c', 'A/b', '_a', long(64), `a/${long(64)}`]],
    [n.isPortName, ['http', 'a1'], ['', '80', 'HTTP', 'a--b', '-a', 'a-', long(16)]],
    [n.isConfigMapKey, ['a', '.a', 'A_b-c'], ['', '.', '..', '..a', 'a/b', long(254)]],
    [n.isEnvVarName, ['A', '_a', 'a.b-c'], ['', '1a', 'a=b', '..a']],
    [n.isRelaxedEnvVarName, ['1a', 'a b', '#'], ['', 'a=b', 'é', 'a\tb']],
    [n.isPathSegmentName, ['a', 'a:b', 'A B', '...'], ['.', '..', 'a/b', 'a%2f']],
    [n.isPercent, ['10%', '200%'], ['%', '10', '-1%']],
    [n.isHttpHeaderName, ['X-A'], ['', 'a b', 'a_b']],
    [n.isFullyQualifiedName, ['a.b.c'], ['a.b', '', 'A.b.c']],
    [n.isHttpPath, ['c', 'b/c', '%20~'], ['', 'b c', '"']],
  ];
  for (const [check, good, bad] of table) {
    for (const value of good) assert.deepEqual(check(value), [], `${check.name} ${value}`);
    for (const value of bad) assert.notDeepEqual(check(value), [], `${check.name} ${value}`);
  }
});

test('complaints are worded as upstream words them', () => {
  assert.deepEqual(n.isDns1123Label('a.b'), ['must not contain dots']);
  assert.deepEqual(n.isDns1123Label(long(64)), ['must be no more than 63 characters']);
  assert.deepEqual(n.isLabelValue(long(64)), ['must be no more than 63 bytes']);
  assert.deepEqual(n.isDns1123Subdomain('A'), [
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ]);
  assert.deepEqual(n.isPathSegmentName('a/b%'), ["may not contain '/'", "may not contain '%'"]);
  assert.deepEqual(n.isPortNumber(0), ['must be between 1 and 65535, inclusive']);
  assert.deepEqual(n.nameIsDnsSubdomain('web-', true), []);
  assert.notDeepEqual(n.nameIsDnsSubdomain('web-', false), []);
});

test('huge and hostile names are refused quickly', () => {
  const start = performance.now();
  for (const text of [long(3_000_000), `${'a-'.repeat(1_000_000)}!`, `${'a.'.repeat(100)}!`]) {
    assert.notDeepEqual(n.isDns1123Subdomain(text), []);
    assert.notDeepEqual(n.isQualifiedName(text), []);
    assert.notDeepEqual(n.isLabelValue(text), []);
  }
  assert.ok(performance.now() - start < 2000);
});

test('addresses: read, written, checked', () => {
  const canonical: [string, string][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['010.0.0.1', '10.0.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['fe80::1:2', 'fe80::1:2'],
  ];
  for (const [text, want] of canonical) {
    const parsed = ip.parseIp(text);
    assert.equal(parsed && ip.formatIp(parsed), want, text);
  }
  for (const bad of ['', '1.2.3', '1.2.3.256', ':::', '1::2::3', 'fe80::1%eth0', '1:2:3:4:5:6:7', '1.2.3.4.5', 'x']) {
    assert.equal(ip.parseIp(bad), undefined, bad);
  }
  assert.deepEqual(ip.isIp('010.0.0.1'), ['must not have leading 0s']);
  assert.deepEqual(ip.isIp('::ffff:1.2.3.4'), ['must not be an IPv4-mapped IPv6 address']);
  assert.deepEqual(ip.isCanonicalIp('2001:DB8::1'), ['must be in canonical form ("2001:db8::1")']);
  assert.deepEqual(ip.isCidr('10.0.0.1/24'), ['must not have bits set beyond the prefix length']);
  assert.deepEqual(ip.isCidr('10.0.0.0/33'), ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']);
  const cidr = ip.parseCidr('10.1.2.3/16');
  const inside = ip.parseIp('10.1.9.9');
  const outside = ip.parseIp('10.2.0.1');
  assert.ok(cidr && inside && outside);
  assert.equal(ip.formatCidr(cidr), '10.1.0.0/16');
  assert.equal(ip.cidrContains(cidr, inside), true);
  assert.equal(ip.cidrContains(cidr, outside), false);
});

test('every address survives writing and reading', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
      const parsed = ip.parseIp(text);
      assert.ok(parsed, text);
      const again = ip.parseIp(ip.formatIp(parsed));
      assert.equal(again?.value, parsed.value);
      assert.equal(again?.family, parsed.family);
    }),
  );
});
