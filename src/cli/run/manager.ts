/** Assembles a controller-manager process, or the controllers inside another process. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createTokenSigner, type TokenSigner } from '../../apiserver/auth/index.ts';
import { uuid } from '../../base/random.ts';
import type { Controller, Environment } from '../../controller/contract.ts';
import { createManager, type Manager, type ManagerOptions } from '../../controller/index.ts';
import { allControllers } from '../../controllers/all.ts';
import type { TokenControllerOptions } from '../../controllers/index.ts';
import { signCertificateRequest } from '../../pki/index.ts';

export interface ManagerProcessOptions extends Pick<ManagerOptions, 'client' | 'clientFor'> {
  readonly environment: Environment;
  /** As `--controllers`. */
  readonly enabled: readonly string[];
  readonly clusterCidrs: readonly string[];
  readonly nodeCidrMaskSizeIpv4?: number;
  readonly nodeCidrMaskSizeIpv6?: number;
  readonly nodeMonitorGracePeriodMs?: number;
  /** Folder with ca.crt and ca.key, for signing certificate requests. */
  readonly pkiDirectory?: string;
  readonly leaderElect: boolean;
  /** Controllers besides the usual ones. */
  readonly more?: readonly Controller[];
}

/** Shorter than upstream's 15, 10 and 2 s: another server takes over within about 12 s. */
const leaderTimes = { leaseMs: 10_000, renewDeadlineMs: 7_000, retryMs: 1_500 } as const;

export function managerFor(options: ManagerProcessOptions): Manager {
  const { environment, client, clientFor, pkiDirectory } = options;
  const { clusterCidrs, nodeCidrMaskSizeIpv4, nodeCidrMaskSizeIpv6 } = options;
  return createManager({
    environment,
    client,
    ...(clientFor && { clientFor }),
    controllers: [
      ...allControllers({
        ...(clusterCidrs.length > 0 && {
          nodeIpam: {
            clusterCidrs,
            ...(nodeCidrMaskSizeIpv4 !== undefined && { nodeCidrMaskSizeIpv4 }),
            ...(nodeCidrMaskSizeIpv6 !== undefined && { nodeCidrMaskSizeIpv6 }),
          },
        }),
        ...(options.nodeMonitorGracePeriodMs !== undefined && {
          nodeLifecycle: { gracePeriodMs: options.nodeMonitorGracePeriodMs },
        }),
        ...(pkiDirectory !== undefined && {
          rootCa: readFileSync(join(pkiDirectory, 'ca.crt'), 'utf8'),
          signToken: legacyTokens(pkiDirectory),
          csrSigning: {
            // Read each time: the authority may have been renewed.
            sign: (request, policy) =>
              signCertificateRequest(
                {
                  certificate: readFileSync(join(pkiDirectory, 'ca.crt'), 'utf8'),
                  key: readFileSync(join(pkiDirectory, 'ca.key'), 'utf8'),
                },
                request,
                policy,
              ),
          },
        }),
      }),
      ...(options.more ?? []),
    ],
    enabled: options.enabled,
    ...(options.leaderElect && {
      leaderElection: {
        namespace: 'kube-system',
        name: 'kube-controller-manager',
        identity: `${hostname()}_${uuid(environment.random)}`,
        ...leaderTimes,
      },
    }),
  });
}

/** Tokens as they were before TokenRequest: without an end, bound to their secret. The key is read when the first one is asked for. */
function legacyTokens(pkiDirectory: string): TokenControllerOptions['sign'] {
  let made: Promise<TokenSigner> | undefined;
  const read = (name: string) => readFileSync(join(pkiDirectory, name), 'utf8');
  const signer = () => {
    made ??= createTokenSigner(read('sa.key'), [read('sa.pub')]);
    return made;
  };
  return async (account, secret) => {
    const { namespace = '', name, uid = '' } = account.metadata;
    return (await signer()).sign({
      iss: 'kubernetes/serviceaccount',
      sub: `system:serviceaccount:${namespace}:${name}`,
      'kubernetes.io/serviceaccount/namespace': namespace,
      'kubernetes.io/serviceaccount/secret.name': secret.metadata.name,
      'kubernetes.io/serviceaccount/service-account.name': name,
      'kubernetes.io/serviceaccount/service-account.uid': uid,
    });
  };
}
