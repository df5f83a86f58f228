/** Probes and lifecycle handlers. */
import type { HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction } from '../../../../api/types/core-v1.ts';
import { isHttpHeaderName } from '../../../../api/validation/names.ts';
import {
  type Check,
  type Errors,
  invalidAll,
  nonNegative,
  oneMember,
  oneOf,
  optional,
  portNumber,
  portNumberOrName,
  required,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';

const validateHttpGet: Check<HTTPGetAction> = (action, path) => [
  ...required(action.path, `${path}.path`),
  ...portNumberOrName(action.port, `${path}.port`),
  ...oneOf(['HTTP', 'HTTPS'])(action.scheme ?? '', `${path}.scheme`),
  ...(action.httpHeaders ?? []).flatMap(({ name = '' }) =>
    invalidAll(`${path}.httpHeaders`, name, isHttpHeaderName(name)),
  ),
];

const sleepWithin =
  (gracePeriod: number | undefined): Check<SleepAction> =>
  ({ seconds }, path) => {
    if (gracePeriod === undefined || (seconds >= 0 && seconds <= gracePeriod)) return [];
    const why = `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriod})`;
    return [field.invalid(path, seconds, why)];
  };

function validateHandler(handler: Probe & LifecycleHandler, gracePeriod: number | undefined, path: string): Errors {
  return oneMember(
    handler,
    path,
    [
      { key: 'exec', check: (exec: { command?: string[] }, at) => required(exec.command, `${at}.command`) },
      { key: 'httpGet', check: validateHttpGet },
      { key: 'tcpSocket', check: (tcp: { port: number | string }, at) => portNumberOrName(tcp.port, `${at}.port`) },
      { key: 'grpc', check: (grpc: { port: number }, at) => portNumber(grpc.port, `${at}.port`) },
      { key: 'sleep', check: sleepWithin(gracePeriod) },
    ],
    'may not specify more than 1 handler type',
    'must specify a handler type',
  );
}

const counters = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

function validateProbe(probe: Probe, gracePeriod: number | undefined, path: string): Errors {
  return [
    ...validateHandler(probe, gracePeriod, path),
    ...counters.flatMap(key => optional(probe[key], `${path}.${key}`, nonNegative)),
    ...optional(probe.terminationGracePeriodSeconds, `${path}.terminationGracePeriodSeconds`, (value, at) =>
      value <= 0 ? [field.invalid(at, value, 'must be greater than 0')] : [],
    ),
  ];
}

interface Probed {
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  startupProbe?: Probe;
}

const successOnce = (probe: Probe, path: string): Errors =>
  probe.successThreshold === 1
    ? []
    : [field.invalid(`${path}.successThreshold`, probe.successThreshold ?? 0, 'must be 1')];

export function validateProbes(container: Probed, gracePeriod: number | undefined, path: string): Errors {
  const strict: Check<Probe> = (probe, at) => [...validateProbe(probe, gracePeriod, at), ...successOnce(probe, at)];
  return [
    ...optional(container.livenessProbe, `${path}.livenessProbe`, strict),
    ...optional(container.readinessProbe, `${path}.readinessProbe`, (probe, at) => [
      ...validateProbe(probe, gracePeriod, at),
      ...optional(probe.terminationGracePeriodSeconds, `${at}.terminationGracePeriodSeconds`, (value, where) => [
        field.invalid(where, value, 'must not be set for readinessProbes'),
      ]),
    ]),
    ...optional(container.startupProbe, `${path}.startupProbe`, strict),
  ];
}

export function validateLifecycle(
  lifecycle: Lifecycle | undefined,
  gracePeriod: number | undefined,
  path: string,
  isPodWithOs: boolean,
): Errors {
  if (!lifecycle) return [];
  const handler: Check<LifecycleHandler> = (value, at) => validateHandler(value, gracePeriod, at);
  return [
    ...optional(lifecycle.postStart, `${path}.postStart`, handler),
    ...optional(lifecycle.preStop, `${path}.preStop`, handler),
    ...(lifecycle.stopSignal && !isPodWithOs
      ? [field.forbidden(`${path}.stopSignal`, 'may not be set for containers with empty `spec.os.name`')]
      : []),
  ];
}
