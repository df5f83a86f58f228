import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from '../../../test/support/control.ts';
import { policyStatusController } from './index.ts';

test('a policy is looked at once per generation', async () => {
  let checks = 0;
  const check = async () => {
    checks += 1;
    return { expressionWarnings: [{ fieldRef: 'spec.validations[0].expression', warning: 'no such field' }] };
  };
  const world = await createWorld({ controllers: [policyStatusController({ check })], nodes: false });
  const { client, clock } = world;
  const resourceRules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }];
  const policies = client.validatingadmissionpolicies();
  await policies.create({
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules }, validations: [{ expression: 'object.a == 1' }] },
  });
  await clock.advance(10_000);
  const status = async () => (await policies.get('p')).status;
  assert.equal((await status())?.observedGeneration, 1);
  assert.equal((await status())?.typeChecking?.expressionWarnings?.[0]?.warning, 'no such field');
  await policies.patch('p', 'merge', { spec: { validations: [{ expression: 'true' }] } });
  await clock.advance(10_000);
  assert.equal((await status())?.observedGeneration, 2);
  assert.equal(checks, 2);
  await world.stop();
});
