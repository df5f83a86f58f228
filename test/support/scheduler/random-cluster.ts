/** Small clusters in which every rule has something to say. */
import fc from 'fast-check';
import type { Node, Pod, PodSpec, TopologySpreadConstraint } from '../../../src/api/types/core-v1.ts';
import { makeNode, makePod } from './world.ts';

const zones = ['a', 'b', 'c'];
const colors = ['red', 'green', 'blue'];
const zoneKey = 'topology.kubernetes.io/zone';
const hostKey = 'kubernetes.io/hostname';

const maybe = <T>(arbitrary: fc.Arbitrary<T>, one = 3) =>
  fc.oneof({ weight: one, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const taint = fc.record({
  key: fc.constantFrom('dedicated', 'slow'),
  value: fc.constantFrom('x', 'y'),
  effect: fc.constantFrom('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
});

export const nodesArbitrary: fc.Arbitrary<Node[]> = fc
  .array(
    fc.record({
      zone: maybe(fc.constantFrom(...zones, ...zones, 'a'), 1),
      disk: maybe(fc.constantFrom('ssd', 'hdd'), 1),
      taints: maybe(fc.array(taint, { maxLength: 2 })),
      unschedulable: fc.constantFrom(false, false, false, true),
      cpu: fc.constantFrom('1', '2', '4'),
      memory: fc.constantFrom('1Gi', '4Gi'),
      pods: fc.constantFrom('3', '110'),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map(specs =>
    specs.map((s, i) =>
      makeNode(`n${i}`, {
        labels: { ...(s.zone && { [zoneKey]: s.zone }), ...(s.disk && { disk: s.disk }) },
        ...(s.taints && { taints: s.taints }),
        unschedulable: s.unschedulable,
        resources: { cpu: s.cpu, memory: s.memory, pods: s.pods },
      }),
    ),
  );

const topologyKey = fc.constantFrom(zoneKey, hostKey, 'disk');
const term = fc.record({
  topologyKey,
  labelSelector: fc.constantFrom(...colors).map(color => ({ matchLabels: { color } })),
});
const weighted = fc.record({ weight: fc.integer({ min: 1, max: 100 }), podAffinityTerm: term });
const nodeTerm = fc.oneof(
  fc.constantFrom(...zones).map(z => ({ matchExpressions: [{ key: zoneKey, operator: 'In', values: [z, 'c'] }] })),
  fc.constantFrom('ssd', 'hdd').map(d => ({ matchExpressions: [{ key: 'disk', operator: 'NotIn', values: [d] }] })),
  fc.constant({ matchExpressions: [{ key: 'disk', operator: 'Exists' }] }),
);

const affinity = fc.record({
  nodeRequired: maybe(fc.array(nodeTerm, { minLength: 1, maxLength: 2 })),
  nodePreferred: maybe(
    fc.array(fc.record({ weight: fc.integer({ min: 1, max: 100 }), preference: nodeTerm }), { maxLength: 2 }),
  ),
  required: maybe(fc.array(term, { minLength: 1, maxLength: 2 })),
  anti: maybe(fc.array(term, { minLength: 1, maxLength: 2 })),
  preferred: maybe(fc.array(weighted, { minLength: 1, maxLength: 2 })),
  preferredAnti: maybe(fc.array(weighted, { minLength: 1, maxLength: 2 })),
});

const spread: fc.Arbitrary<TopologySpreadConstraint> = fc.record({
  maxSkew: fc.integer({ min: 1, max: 3 }),
  topologyKey,
  whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'ScheduleAnyway'),
  labelSelector: fc.constantFrom(...colors).map(color => ({ matchLabels: { color } })),
});

/** One constraint per topology and action, as validation demands. */
const distinct = (list: readonly TopologySpreadConstraint[]) =>
  list.filter(
    (c, i) => list.findIndex(o => o.topologyKey === c.topologyKey && o.whenUnsatisfiable === c.whenUnsatisfiable) === i,
  );

const toleration = fc.oneof(
  fc.constant({ operator: 'Exists' }),
  fc.record({
    key: fc.constantFrom('dedicated', 'slow'),
    operator: fc.constant('Equal'),
    value: fc.constantFrom('x', 'y'),
  }),
  fc.constant({ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }),
);

const podShape = fc.record({
  color: fc.constantFrom(...colors),
  cpu: maybe(fc.constantFrom('100m', '500m', '1'), 1),
  memory: maybe(fc.constantFrom('128Mi', '1Gi'), 1),
  port: maybe(fc.constantFrom(80, 443), 5),
  affinity: maybe(affinity, 1),
  spread: maybe(fc.array(spread, { minLength: 1, maxLength: 2 }), 2),
  tolerations: maybe(fc.array(toleration, { minLength: 1, maxLength: 2 }), 2),
  disk: maybe(fc.constantFrom('ssd', 'hdd'), 6),
  priority: fc.constantFrom(0, 0, 10, 100),
});
type PodShape = typeof podShape extends fc.Arbitrary<infer T> ? T : never;

function specOf(shape: PodShape): Partial<PodSpec> {
  const a = shape.affinity;
  const affinity = a && {
    nodeAffinity: {
      ...(a.nodeRequired && { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: a.nodeRequired } }),
      ...(a.nodePreferred && { preferredDuringSchedulingIgnoredDuringExecution: a.nodePreferred }),
    },
    podAffinity: {
      ...(a.required && { requiredDuringSchedulingIgnoredDuringExecution: a.required }),
      ...(a.preferred && { preferredDuringSchedulingIgnoredDuringExecution: a.preferred }),
    },
    podAntiAffinity: {
      ...(a.anti && { requiredDuringSchedulingIgnoredDuringExecution: a.anti }),
      ...(a.preferredAnti && { preferredDuringSchedulingIgnoredDuringExecution: a.preferredAnti }),
    },
  };
  return {
    priority: shape.priority,
    ...(shape.disk && { nodeSelector: { disk: shape.disk } }),
    ...(shape.tolerations && { tolerations: shape.tolerations }),
    ...(shape.spread && { topologySpreadConstraints: distinct(shape.spread) }),
    ...(affinity && { affinity: affinity as NonNullable<PodSpec['affinity']> }),
  };
}

/** Some shapes come more than once, so that equal pods share what is known of nodes. */
export const podsArbitrary: fc.Arbitrary<Pod[]> = fc
  .array(podShape, { minLength: 1, maxLength: 6 })
  .chain(shapes => fc.array(fc.constantFrom(...shapes), { minLength: 4, maxLength: 16 }))
  .map(shapes =>
    shapes.map((shape, i) =>
      makePod(`p${i}`, {
        labels: { color: shape.color },
        requests: { ...(shape.cpu && { cpu: shape.cpu }), ...(shape.memory && { memory: shape.memory }) },
        ...(shape.port && { ports: [{ containerPort: shape.port, hostPort: shape.port, protocol: 'TCP' }] }),
        spec: specOf(shape),
      }),
    ),
  );
