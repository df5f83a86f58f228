import { keyOf } from '../../api/object.ts';
import type { Container, Pod, PodSpec, ServiceAccount, Volume } from '../../api/types/core-v1.ts';
import { type Random, safeEncode } from '../../base/random.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { containersOf, forbid, lookUp, mirrorAnnotation, on, podOf } from './helpers.ts';

const defaultName = 'default';
const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
const enforceSecrets = 'kubernetes.io/enforce-mountable-secrets';
/** The odd seconds tell the API server that the request comes from a default volume. */
const tokenSeconds = 3607;
/** The default account is made by a controller soon after the namespace: wait for it. */
const defaultAttempts = 10;

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  };
}

function automounts(account: ServiceAccount, spec: PodSpec): boolean {
  return spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
}

function mountToken(spec: PodSpec, random: Random): void {
  const present = spec.volumes?.find(v => v.name?.startsWith(volumePrefix));
  const name = present?.name ?? `${volumePrefix}${safeEncode(String.fromCharCode(...random.bytes(5)))}`;
  let needed = false;
  const mount = (container: Container) => {
    if (container.volumeMounts?.some(m => m.mountPath === mountPath)) return;
    (container.volumeMounts ??= []).push({ name, readOnly: true, mountPath });
    needed = true;
  };
  for (const container of spec.initContainers ?? []) mount(container);
  for (const container of spec.containers) mount(container);
  if (needed && !present) (spec.volumes ??= []).push(tokenVolume(name));
}

/** Complaint about a pod that the kubelet mirrors, or undefined. */
function mirrorProblem(pod: Pod): string | undefined {
  if (pod.spec?.serviceAccountName || pod.spec?.serviceAccount)
    return 'a mirror pod may not reference service accounts';
  const secret = (v: Volume) => v.secret ?? v.projected?.sources?.find(s => s.secret);
  if (pod.spec?.volumes?.some(secret)) return 'a mirror pod may not reference secrets';
  if (pod.spec?.volumes?.some(v => v.projected?.sources?.some(s => s.serviceAccountToken)))
    return 'a mirror pod may not use ServiceAccountToken volume projections';
  return undefined;
}

function secretProblem(account: ServiceAccount, spec: PodSpec): string | undefined {
  const mountable = new Set((account.secrets ?? []).map(s => s.name));
  const tail = `is not allowed because service account ${account.metadata.name} does not reference that`;
  for (const { secret } of spec.volumes ?? [])
    if (secret && !mountable.has(secret.secretName))
      return `volume with secret.secretName="${secret.secretName}" ${tail} secret`;
  for (const container of containersOf(spec)) {
    for (const { name, valueFrom } of container.env ?? []) {
      const reference = valueFrom?.secretKeyRef;
      if (reference && !mountable.has(reference.name))
        return `container ${container.name} with envVar ${name} referencing secret.secretName="${reference.name}" ${tail} secret`;
    }
    for (const { secretRef } of container.envFrom ?? [])
      if (secretRef && !mountable.has(secretRef.name))
        return `container ${container.name} with envFrom referencing secret.secretName="${secretRef.name}" ${tail} secret`;
  }
  const pull = new Set((account.imagePullSecrets ?? []).map(s => s.name));
  const bad = (spec.imagePullSecrets ?? []).findIndex(s => !pull.has(s.name));
  if (bad < 0) return undefined;
  return `imagePullSecrets[${bad}].name="${spec.imagePullSecrets?.[bad]?.name}" ${tail} imagePullSecret`;
}

/** Gives each pod its service account, the account's pull secrets, and a volume with a token for the API. */
export const serviceAccount: AdmissionPluginFactory = {
  name: 'ServiceAccount',
  create({ client, informers, clock, random }) {
    const informer = informers.informer('v1/serviceaccounts');

    /** Resolves when the cache shows the account, at the latest after `ms`. */
    function appears(key: string, ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = clock.setTimer(resolve, ms);
      const stop = informer.addHandler({
        onAdd: account => {
          if (keyOf(account) === key) resolve();
        },
      });
      return promise.finally(() => {
        timer.cancel();
        stop();
      });
    }

    async function find(namespace: string, name: string): Promise<ServiceAccount | undefined> {
      const accounts = client.resource('v1/serviceaccounts', namespace);
      for (let left = name === defaultName ? defaultAttempts : 1; ; left--) {
        const found = await lookUp(informer, accounts, name, namespace);
        if (found || left <= 1) return found;
        await appears(`${namespace}/${name}`, 100 + random.int(100));
      }
    }
    async function require(request: AdmissionRequest, name: string): Promise<ServiceAccount> {
      const found = await find(request.namespace, name);
      if (found) return found;
      const what = `error looking up service account ${request.namespace}/${name}`;
      throw forbid(request, `${what}: serviceaccount ${JSON.stringify(name)} not found`);
    }

    return {
      name: 'ServiceAccount',
      resources: ['/pods'],
      handles: on('CREATE'),
      async admit(request) {
        const pod = podOf(request);
        if (!pod) return;
        if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) {
          const problem = mirrorProblem(pod);
          if (problem) throw forbid(request, problem);
          return;
        }
        const name = pod.spec.serviceAccountName || pod.spec.serviceAccount || defaultName;
        pod.spec.serviceAccountName = name;
        pod.spec.serviceAccount = name;
        const account = await require(request, name);
        if (automounts(account, pod.spec)) mountToken(pod.spec, random);
        if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length)
          pod.spec.imagePullSecrets = account.imagePullSecrets.map(s => ({ ...s }));
      },
      async validate(request) {
        const pod = podOf(request);
        if (!pod || pod.metadata.annotations?.[mirrorAnnotation] !== undefined) return;
        const account = await require(request, pod.spec.serviceAccountName || defaultName);
        if (account.metadata.annotations?.[enforceSecrets] !== 'true') return;
        const problem = secretProblem(account, pod.spec);
        if (problem) throw forbid(request, problem);
      },
    };
  },
};
