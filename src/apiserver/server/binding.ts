/** Binding a pod to a node: pods/binding and the older bindings. */
import { schemaOf } from '../../api/catalog/index.ts';
import type { Unstructured } from '../../api/object.ts';
import type { ApiResponse } from '../../api/transport.ts';
import type { Binding, Pod, PodCondition } from '../../api/types/core-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { ApiError, errors } from '../../base/errors.ts';
import { aggregate, field } from '../registry/field-errors.ts';
import { admissionRequest, admit, validateAdmission } from './admission.ts';
import { readBody } from './body.ts';
import { type WriteParameters, writeParameters } from './options.ts';
import { respondValue } from './output.ts';
import { negotiated, storeOf, writeOffer } from './read.ts';
import type { Scope, Served } from './scope.ts';

const bindingKind = { group: '', version: 'v1', kind: 'Binding' };
const pods = { group: '', resource: 'pods' };

export async function createBinding(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'CreateOptions');
  const obj = readBody(scope, bindingKind, schemaOf('core.v1.Binding'), parameters);
  const target = scope.core.resources.find('', 'v1', 'pods');
  if (!target) throw errors.unknownPath();
  obj.metadata.name ||= scope.info.name;
  obj.metadata.namespace ||= scope.info.namespace;
  if (scope.info.name && obj.metadata.name !== scope.info.name)
    throw errors.badRequest('name in URL does not match name in Binding object');
  if (obj.metadata.namespace !== scope.info.namespace)
    throw errors.badRequest('the namespace of the provided object does not match the namespace sent on the request');
  const binding = obj as unknown as Binding;
  validate(binding);
  const request = admissionRequest(scope, served, {
    operation: 'CREATE',
    name: binding.metadata.name ?? '',
    object: obj,
    oldObject: undefined,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    dryRun: parameters.dryRun,
  });
  await admit(scope.core.admission, request);
  await validateAdmission(scope.core.admission, request);
  await bind(scope, target, binding, parameters);
  return respondValue(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, media);
}

/** The complaints go out as they are. */
function validate({ target = {} }: Binding): void {
  const found = [
    ...(target.kind && target.kind !== 'Node'
      ? [field.notSupported('target.kind', target.kind, ['Node', '<empty>'])]
      : []),
    ...(target.name ? [] : [field.required('target.name')]),
  ];
  if (found.length > 0) throw errors.uncoded(aggregate(found).message);
}

async function bind(scope: Scope, served: Served, binding: Binding, parameters: WriteParameters): Promise<void> {
  const { name = '', uid, resourceVersion } = binding.metadata;
  await storeOf(served).update(
    scope.info.namespace,
    name,
    async current => {
      const obj = current.decode();
      const pod = obj as unknown as Pod;
      if (uid && uid !== pod.metadata.uid)
        throw errors.conflict(
          pods,
          name,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`,
        );
      if (resourceVersion && resourceVersion !== pod.metadata.resourceVersion)
        throw errors.conflict(
          pods,
          name,
          'the object has been modified; please apply your changes to the latest version and try again',
        );
      if (pod.metadata.deletionTimestamp)
        throw conflict(name, `pod ${name} is being deleted, cannot be assigned to a host`);
      if (pod.spec.nodeName) throw conflict(name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
      if (pod.spec.schedulingGates?.length) throw conflict(name, `pod ${name} has non-empty .spec.schedulingGates`);
      assign(pod, binding, scope.core.clock.now());
      return { type: 'put', object: obj as Unstructured };
    },
    { dryRun: parameters.dryRun },
  );
}

function conflict(name: string, why: string): ApiError {
  return new ApiError(409, 'Conflict', `Operation cannot be fulfilled on pods/binding "${name}": ${why}`, {
    name,
    kind: 'pods/binding',
  });
}

function assign(pod: Pod, binding: Binding, now: number): void {
  pod.spec.nodeName = binding.target.name ?? '';
  if (binding.metadata.annotations)
    pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
  if (binding.metadata.labels) pod.metadata.labels = { ...binding.metadata.labels, ...pod.metadata.labels };
  const conditions: PodCondition[] = pod.status?.conditions ?? [];
  const others = conditions.filter(c => c.type !== 'PodScheduled');
  const known = conditions.find(c => c.type === 'PodScheduled' && c.status === 'True');
  const scheduled = known ?? { type: 'PodScheduled', status: 'True', lastTransitionTime: rfc3339(now) };
  // What was expected has come to pass (upstream: ClearingNominatedNodeNameAfterBinding).
  const { nominatedNodeName: _, ...status } = pod.status ?? {};
  pod.status = { ...status, conditions: [...others, scheduled] };
}
