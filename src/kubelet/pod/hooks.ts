/** Lifecycle hooks: exec, HTTP, TCP, sleep. */
import type { LifecycleHandler, Pod } from '../../api/types/core-v1.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import type { NetworkChecks } from './host.ts';
import { type AnyContainer, formatPod } from './names.ts';

export interface HookInput {
  pod: Pod;
  container: AnyContainer;
  containerId: string;
  handler: LifecycleHandler;
  podIp: string;
  runtime: ContainerRuntime;
  checks: NetworkChecks;
  clock: Clock;
  signal?: AbortSignal;
}

const hookTimeoutMs = 30_000;

/** A port by number or by the name the container gives it. */
export function portOf(port: number | string | undefined, container: AnyContainer): number {
  const number = Number(port);
  if (Number.isInteger(number) && number > 0) return number;
  const named = container.ports?.find(p => p.name === port);
  if (!named) throw new Error(`couldn't find port: ${port}`);
  return named.containerPort;
}

/** Resolves when the hook succeeded; rejects with the message of its event. */
export async function runHook(input: HookInput): Promise<void> {
  const { handler, container, runtime, containerId, checks, podIp, clock, pod } = input;
  const where = `for Container "${container.name}" in Pod "${formatPod(pod)}" failed`;
  if (handler.exec) {
    const command = handler.exec.command ?? [];
    const shown = `Exec lifecycle hook (${JSON.stringify(command)}) ${where}`;
    const result = await runtime.execSync(containerId, command, 0).catch((e: unknown) => {
      throw new Error(`${shown} - error: ${messageOf(e)}, message: ""`);
    });
    if (result.exitCode === 0) return;
    const output = new TextDecoder().decode(result.stdout) + new TextDecoder().decode(result.stderr);
    const why = `command '${command.join(' ')}' exited with ${result.exitCode}: ${output}`;
    throw new Error(`${shown} - error: ${why}, message: ${JSON.stringify(output)}`);
  }
  if (handler.sleep) await sleep(clock, handler.sleep.seconds * 1000, input.signal).catch(() => undefined);
  else if (handler.httpGet) {
    const { host, port, path = '', scheme = 'HTTP', httpHeaders = [] } = handler.httpGet;
    const target = { scheme, host: host || podIp, port: portOf(port, container), path, headers: httpHeaders };
    const result = await checks.http({ ...target, timeoutMs: hookTimeoutMs });
    if (!result.ok) throw new Error(`HTTP lifecycle hook (${path}) ${where} - error: ${result.output}, message: ""`);
  } else if (handler.tcpSocket) {
    const { host, port } = handler.tcpSocket;
    const result = await checks.tcp(host || podIp, portOf(port, container), hookTimeoutMs);
    if (!result.ok) throw new Error(`TCP lifecycle hook ${where} - error: ${result.output}`);
  }
}
