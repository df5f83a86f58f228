/** pods/eviction: a deletion that respects disruption budgets (upstream: pkg/registry/core/pod/storage/eviction.go). */
import { schemaOf } from '../../api/catalog/index.ts';
import type { Unstructured } from '../../api/object.ts';
import { selectorFromObject } from '../../api/selectors/index.ts';
import type { ApiResponse } from '../../api/transport.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { DeleteOptions } from '../../api/types/meta-v1.ts';
import type { PodDisruptionBudget } from '../../api/types/policy-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { ApiError, errors } from '../../base/errors.ts';
import { admissionRequest, admit, validateAdmission } from './admission.ts';
import { readBody } from './body.ts';
import { type DeleteRequest, runDelete } from './delete.ts';
import { writeParameters } from './options.ts';
import { respondValue } from './output.ts';
import { negotiated, readEntry, storeOf, writeOffer } from './read.ts';
import type { Scope, Served } from './scope.ts';

const evictionKind = { group: 'policy', version: 'v1', kind: 'Eviction' };
/** Upstream's MaxDisruptedPodSize. */
const maxDisrupted = 2_000;

export async function createEviction(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'CreateOptions');
  const obj = readBody(scope, evictionKind, schemaOf('policy.v1.Eviction'), parameters, ['policy/v1beta1']);
  obj.metadata.name ||= scope.info.name;
  if (obj.metadata.name !== scope.info.name)
    throw errors.badRequest('name in URL does not match name in Eviction object');
  const options = (obj['deleteOptions'] ?? {}) as Partial<DeleteOptions>;
  const dryRun = parameters.dryRun || (options.dryRun?.length ?? 0) > 0;
  const request = admissionRequest(scope, served, {
    operation: 'CREATE',
    name: scope.info.name,
    object: obj,
    oldObject: undefined,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    dryRun,
  });
  await admit(scope.core.admission, request);
  await validateAdmission(scope.core.admission, request);
  const pod = (await readEntry(scope, served)).object() as unknown as Pod;
  const charged = await chargeBudget(scope, pod, dryRun);
  await runDelete(scope, served, scope.info.name, deletion(options, pod, dryRun, charged));
  return respondValue(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, media);
}

function deletion(options: Partial<DeleteOptions>, pod: Pod, dryRun: boolean, charged: boolean): DeleteRequest {
  const { preconditions, gracePeriodSeconds, propagationPolicy } = options;
  return {
    gracePeriodSeconds,
    legacyCascade: false,
    propagation: propagationPolicy as DeleteRequest['propagation'],
    // A budget was charged for this very pod: another of the same name must not pay.
    uid: preconditions?.uid ?? (charged ? pod.metadata.uid : undefined),
    resourceVersion: preconditions?.resourceVersion,
    dryRun,
    options: { ...options, kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' },
  };
}

function needsBudget(pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  return !['Succeeded', 'Failed', 'Pending'].includes(pod.status?.phase ?? 'Pending');
}

const isReady = (pod: Pod) => pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false;

/** Takes one disruption from the pod's budget. False when it has none. Throws 429 when there is nothing left. */
async function chargeBudget(scope: Scope, pod: Pod, dryRun: boolean): Promise<boolean> {
  if (!needsBudget(pod)) return false;
  const budgets = scope.core.resources.find('policy', 'v1', 'poddisruptionbudgets');
  if (!budgets) return false;
  const { cache } = storeOf(budgets);
  const { namespace } = scope.info;
  const matching = cache.root
    .values(`${namespace}/`, `${namespace}0`)
    .map(entry => entry.object() as unknown as PodDisruptionBudget)
    .filter(pdb => matches(pdb, pod));
  const [budget, another] = matching;
  if (!budget) return false;
  if (another)
    throw new ApiError(
      500,
      undefined,
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  if (freePass(budget, pod)) return false;
  await storeOf(budgets).update(
    namespace,
    budget.metadata.name,
    async current => {
      const obj = current.decode();
      spend(obj as unknown as PodDisruptionBudget, pod.metadata.name, scope.core.clock.now());
      return { type: 'put', object: obj as Unstructured };
    },
    { dryRun },
  );
  return true;
}

function matches({ spec }: PodDisruptionBudget, pod: Pod): boolean {
  return spec?.selector !== undefined && selectorFromObject(spec.selector).matches(pod.metadata.labels ?? {});
}

/** Pods that do not count as healthy need not be paid for. */
function freePass(budget: PodDisruptionBudget, pod: Pod): boolean {
  if (isReady(pod)) return false;
  if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

function spend(budget: PodDisruptionBudget, pod: string, now: number): void {
  const { status, metadata } = budget;
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0))
    throw tooMany(
      "Cannot evict pod as it would violate the pod's disruption budget.",
      `The disruption budget ${metadata.name} is still being processed by the server.`,
      10,
    );
  const allowed = status?.disruptionsAllowed ?? 0;
  if (!status || allowed < 0)
    throw errors.forbidden(
      { group: 'policy', resource: 'poddisruptionbudget' },
      metadata.name,
      'pdb disruptions allowed is negative',
    );
  const disrupted = status.disruptedPods ?? {};
  if (Object.keys(disrupted).length > maxDisrupted)
    throw errors.forbidden(
      { group: 'policy', resource: 'poddisruptionbudget' },
      metadata.name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  if (allowed === 0)
    throw tooMany("Cannot evict pod as it would violate the pod's disruption budget.", whyNot(budget), 0);
  status.disruptionsAllowed = allowed - 1;
  status.disruptedPods = { ...disrupted, [pod]: rfc3339(now) };
}

/** Why a budget allows no eviction. Its numbers mean nothing when it could not be computed. */
function whyNot({ metadata: { name }, status }: PodDisruptionBudget): string {
  const { desiredHealthy = 0, currentHealthy = 0, conditions } = status ?? {};
  const condition = conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const { reason, message } = condition?.status === 'False' && condition.message ? condition : {};
  const refused = `The disruption budget ${name} does not allow evicting pods currently`;
  if (reason === 'SyncFailed') return `${refused} because it failed sync: ${message}`;
  if (currentHealthy <= desiredHealthy) {
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  }
  return message ? `${refused} (${reason}): ${message}` : refused;
}

function tooMany(message: string, cause: string, retryAfterSeconds: number): ApiError {
  return new ApiError(429, 'TooManyRequests', message, {
    causes: [{ reason: 'DisruptionBudget', message: cause }],
    ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
  });
}
