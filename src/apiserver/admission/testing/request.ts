/** For tests: an admission environment over the fake cluster, and one request run through one plugin as the server would. */
import type { KubeObject, Unstructured } from '../../../api/object.ts';
import type { ResourceInfo } from '../../../api/schema.ts';
import type { UserInfo } from '../../../api/transport.ts';
import { deepFreeze } from '../../../api/util/values.ts';
import { silentLogger } from '../../../base/log.ts';
import { createMetrics } from '../../../base/metrics.ts';
import { seededRandom } from '../../../base/random.ts';
import { type VirtualClock, virtualClock } from '../../../base/virtual-clock.ts';
import { createAuthorization } from '../../auth/index.ts';
import type { AdmissionEnvironment, AdmissionPlugin, AdmissionRequest, Operation } from '../contract.ts';
import { type FakeCluster, fakeCluster } from './fake-cluster.ts';

export interface Fixture extends FakeCluster {
  readonly environment: AdmissionEnvironment;
  readonly clock: VirtualClock;
}

export function fixture(): Fixture {
  const cluster = fakeCluster();
  const clock = virtualClock();
  const environment: AdmissionEnvironment = {
    clock,
    random: seededRandom(1),
    log: silentLogger,
    metrics: createMetrics(),
    client: cluster.client,
    informers: cluster.informers,
    authorizer: createAuthorization(cluster.informers).authorizer,
  };
  return Object.assign(cluster, { environment, clock });
}

export interface Question {
  /** "group/plural", "/pods" for the core group. */
  readonly resource: string;
  readonly subresource?: string;
  readonly operation?: Operation;
  readonly namespace?: string;
  readonly name?: string;
  readonly object?: KubeObject | object;
  readonly old?: KubeObject | object;
  readonly user?: UserInfo;
  readonly dryRun?: boolean;
}

export interface Outcome {
  readonly warnings: string[];
  readonly annotations: Record<string, string>;
}

function infoOf(resource: string): ResourceInfo {
  const [group = '', plural = ''] = resource.split('/');
  const schema = { kind: 'object', fields: new Map(), required: [] } as const;
  return {
    ...{ group, version: 'v1', kind: plural, plural, singular: plural, namespaced: true },
    ...{ verbs: [], subresources: {}, schema },
  };
}

/** Runs `admit`, then `validate`. The object is changed in place. */
export async function run(plugin: AdmissionPlugin, question: Question): Promise<Outcome> {
  const operation = question.operation ?? (question.old ? 'UPDATE' : 'CREATE');
  const outcome: Outcome = { warnings: [], annotations: {} };
  const object = question.object as (Unstructured & KubeObject) | undefined;
  const old = question.old && (deepFreeze(structuredClone(question.old)) as Unstructured & KubeObject);
  const request: AdmissionRequest = {
    operation,
    resource: infoOf(question.resource),
    subresource: question.subresource ?? '',
    namespace: question.namespace ?? object?.metadata?.namespace ?? '',
    name: question.name ?? object?.metadata?.name ?? '',
    object,
    oldObject: old,
    options: {},
    user: question.user ?? { name: 'jane', groups: [] },
    dryRun: question.dryRun ?? false,
    warn: text => void outcome.warnings.push(text),
    annotate: (key, value) => {
      outcome.annotations[key] = value;
    },
  };
  if (!plugin.handles(operation)) return outcome;
  await plugin.admit?.(request);
  await plugin.validate?.(request);
  return outcome;
}

/** The message of the refusal, or "" when the plugin lets it through. */
export async function refusal(plugin: AdmissionPlugin, question: Question): Promise<string> {
  try {
    await run(plugin, question);
    return '';
  } catch (e) {
    return e instanceof Error ? e.message : String(e);
  }
}
