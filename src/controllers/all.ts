/** The controllers that need to be told something about the cluster or the host. */
import type { Controller } from '../controller/contract.ts';
import { csrApprovingController } from './csr-approving/index.ts';
import { csrCleanerController } from './csr-cleaner/index.ts';
import { type CsrSigningOptions, csrSigningController } from './csr-signing/index.ts';
import {
  type HorizontalPodAutoscalerOptions,
  horizontalPodAutoscalerController,
} from './horizontal-pod-autoscaler/index.ts';
import { controllers, rootCaPublisher, type TokenControllerOptions, tokenController } from './index.ts';
import { type NodeIpamOptions, nodeIpamController } from './node-ipam/index.ts';
import { type NodeLifecycleOptions, nodeLifecycleController } from './node-lifecycle/index.ts';
import { type PodGcOptions, podGcController } from './pod-gc/index.ts';
import { storageAndPolicyControllers } from './storage-and-policy.ts';
import { taintEvictionController } from './taint-eviction/index.ts';
import { ttlController } from './ttl/index.ts';

export interface ControllerOptions {
  /** PEM of the cluster's CA, published in every namespace. */
  readonly rootCa?: string;
  /** Absent: token secrets that users make stay empty. Needs `rootCa`. */
  readonly signToken?: TokenControllerOptions['sign'];
  /** Absent: nodes bring their own pod ranges. */
  readonly nodeIpam?: NodeIpamOptions;
  readonly nodeLifecycle?: NodeLifecycleOptions;
  readonly podGc?: PodGcOptions;
  /** Absent: no key to sign with, so certificate requests wait for somebody else. */
  readonly csrSigning?: CsrSigningOptions;
  readonly horizontalPodAutoscaler?: HorizontalPodAutoscalerOptions;
}

/** Every controller of the manager. `--controllers` chooses among them. */
export function allControllers(options: ControllerOptions): readonly Controller[] {
  return [
    ...controllers,
    ...storageAndPolicyControllers,
    horizontalPodAutoscalerController(options.horizontalPodAutoscaler),
    ...(options.rootCa ? [rootCaPublisher(options.rootCa)] : []),
    ...(options.rootCa && options.signToken ? [tokenController({ ca: options.rootCa, sign: options.signToken })] : []),
    ...(options.nodeIpam ? [nodeIpamController(options.nodeIpam)] : []),
    nodeLifecycleController(options.nodeLifecycle),
    taintEvictionController,
    podGcController(options.podGc),
    ttlController,
    csrApprovingController,
    ...(options.csrSigning ? [csrSigningController(options.csrSigning)] : []),
    csrCleanerController,
  ];
}
