import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFlags, parseFlags, UsageError } from './flags.ts';

const flags = {
  port: { type: 'number', default: 6443, help: 'port' },
  name: { type: 'string', short: 'n', help: 'name' },
  detach: { type: 'boolean', help: 'detach' },
  sans: { type: 'list', help: 'names' },
} as const;

test('flags take every spelling', () => {
  const { values, positionals } = parseFlags(flags, [
    '--port=1',
    'a',
    '-n',
    'x',
    '--detach',
    '--sans',
    'a,b',
    '--sans=c',
    '--',
    '--raw',
  ]);
  assert.deepEqual(values, { port: 1, name: 'x', detach: true, sans: ['a', 'b', 'c'] });
  assert.deepEqual(positionals, ['a', '--raw']);
  assert.equal(parseFlags(flags, ['--detach=false']).values.detach, false);
});

for (const [args, message] of [
  [['--nope'], 'unknown flag: --nope'],
  [['--__proto__=x'], 'unknown flag: --__proto__'],
  [['--name'], 'flag needs an argument: --name'],
  [['--port=x'], 'invalid argument "x" for "--port": must be a number'],
  [['--detach=maybe'], 'invalid argument "maybe" for "--detach": must be true or false'],
] as const) {
  test(`refuses ${args.join(' ')}`, () => {
    assert.throws(
      () => parseFlags(flags, [...args]),
      (e: unknown) => e instanceof UsageError && e.message === message,
    );
  });
}

test('help names the default', () => {
  assert.match(describeFlags(flags), /--port=N +port \(default 6443\)/);
});
