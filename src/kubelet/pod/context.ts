import type { Pod, Secret } from '../../api/types/core-v1.ts';
import type { Client, EventRecorder } from '../../client/contract.ts';
import type { Environment } from '../../controller/contract.ts';
import type { ImagePuller } from '../images/puller.ts';
import type { Meters } from '../metrics/meters.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import type { Refusal } from './admission.ts';
import type { BackOff } from './back-off.ts';
import type { ClusterDns } from './config.ts';
import type { ObjectSource } from './env.ts';
import type { PodHost } from './host.ts';

/** What all pod workers of one kubelet share. */
export interface PodContext extends Environment {
  readonly nodeName: string;
  readonly client: Client;
  readonly runtime: ContainerRuntime;
  readonly runtimeName: string;
  readonly host: PodHost;
  readonly images: ImagePuller;
  readonly objects: ObjectSource;
  readonly recorder: EventRecorder;
  readonly meters: Meters;
  readonly clusterDns: ClusterDns;
  /** Delays between restarts of crashing containers. */
  readonly crashBackOff: BackOff;
  hostIps(): readonly string[];
  allocatable(): Record<string, string>;
  /** CRI handler of a RuntimeClass; rejects when there is no such class. */
  runtimeHandler(className: string | undefined): Promise<string>;
  /** Why the pod may not run here; undefined: it may. */
  admit(pod: Pod): Refusal | undefined;
  /** The pod's pull secrets, without those that are missing. */
  pullSecrets(pod: Pod): Promise<Secret[]>;
}
