/** Security contexts of pods and containers as the runtime takes them. The container's own settings win over the pod's. */
import type { AppArmorProfile, Pod, SELinuxOptions, SeccompProfile, SecurityContext } from '../../api/types/core-v1.ts';
import type {
  ContainerSecurityContext,
  IdMapping,
  Image,
  NamespaceOptions,
  SandboxSecurityContext,
  SecurityProfile,
} from '../runtime/contract.ts';
import { ConfigError } from './env.ts';
import { type AnyContainer, formatPod } from './names.ts';

/** What upstream hides of /proc and /sys from ordinary containers (securitycontext.ConvertToRuntimeMaskedPaths). */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Ids of the pod's user namespace, when it has one of its own. */
export type UserNamespace = { hostId: number; length: number } | undefined;

export const idMappings = (range: NonNullable<UserNamespace>): IdMapping[] => [{ ...range, containerId: 0 }];

function userNamespace(range: UserNamespace): Pick<NamespaceOptions, 'usernsOptions'> {
  if (!range) return {};
  return { usernsOptions: { mode: 'POD', uids: idMappings(range), gids: idMappings(range) } };
}

export function namespaceOptions(pod: Pod, users: UserNamespace, targetId?: string): NamespaceOptions {
  const { spec } = pod;
  return {
    ...userNamespace(users),
    network: spec.hostNetwork ? 'NODE' : 'POD',
    ipc: spec.hostIPC ? 'NODE' : 'POD',
    pid: spec.hostPID ? 'NODE' : spec.shareProcessNamespace ? 'POD' : targetId ? 'TARGET' : 'CONTAINER',
    ...(targetId && { targetId }),
  };
}

function seccompOf(profile: SeccompProfile | undefined): SecurityProfile {
  if (!profile) return { profileType: 'Unconfined' };
  const profileType = profile.type as SecurityProfile['profileType'];
  const localhostRef = profileType === 'Localhost' ? `/var/lib/kubelet/seccomp/${profile.localhostProfile ?? ''}` : '';
  return { profileType, ...(localhostRef && { localhostRef }) };
}

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';

/** The container's own profile, then the older annotation, then the pod's. Upstream: security/apparmor.GetProfile. */
export function appArmorProfile(pod: Pod, container: AnyContainer): AppArmorProfile | undefined {
  const own = container.securityContext?.appArmorProfile;
  if (own) return own;
  const old = pod.metadata.annotations?.[appArmorAnnotation + container.name];
  if (old === 'runtime/default') return { type: 'RuntimeDefault' };
  if (old === 'unconfined') return { type: 'Unconfined' };
  if (old?.startsWith('localhost/')) return { type: 'Localhost', localhostProfile: old.slice('localhost/'.length) };
  return pod.spec.securityContext?.appArmorProfile;
}

function appArmor(pod: Pod, container: AnyContainer): Pick<ContainerSecurityContext, 'apparmor'> {
  const profile = appArmorProfile(pod, container);
  if (!profile || container.securityContext?.privileged) return {};
  const profileType = profile.type as SecurityProfile['profileType'];
  const localhostRef = profile.localhostProfile;
  return { apparmor: { profileType, ...(localhostRef && { localhostRef }) } };
}

const selinux = (o: SELinuxOptions | undefined) => (o ? { selinuxOptions: { ...o } } : {});

export function sandboxSecurity(pod: Pod, users: UserNamespace): SandboxSecurityContext {
  const { securityContext: sc } = pod.spec;
  const privileged = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(
    c => c.securityContext?.privileged,
  );
  const groups = podGroups(pod);
  return {
    namespaceOptions: namespaceOptions(pod, users),
    privileged,
    seccomp: { profileType: 'RuntimeDefault' },
    ...(sc?.runAsUser !== undefined && { runAsUser: { value: sc.runAsUser } }),
    ...(sc?.runAsUser !== undefined && sc.runAsGroup !== undefined && { runAsGroup: { value: sc.runAsGroup } }),
    ...(groups.length > 0 && { supplementalGroups: groups }),
    ...selinux(sc?.seLinuxOptions),
  };
}

function podGroups(pod: Pod): number[] {
  const { fsGroup, supplementalGroups = [] } = pod.spec.securityContext ?? {};
  return [...(fsGroup !== undefined ? [fsGroup] : []), ...supplementalGroups];
}

function capabilities(sc: SecurityContext | undefined) {
  const { add = [], drop = [] } = sc?.capabilities ?? {};
  return add.length + drop.length > 0 ? { capabilities: { addCapabilities: add, dropCapabilities: drop } } : {};
}

/** Rejects with `ConfigError` when the image's user breaks `runAsNonRoot`. */
export function containerSecurity(
  pod: Pod,
  container: AnyContainer,
  image: Image,
  users: UserNamespace,
  targetId?: string,
): ContainerSecurityContext {
  const sc = container.securityContext;
  const psc = pod.spec.securityContext;
  const user = sc?.runAsUser ?? psc?.runAsUser;
  const group = sc?.runAsGroup ?? psc?.runAsGroup;
  verifyNonRoot(pod, container, user, image);
  const privileged = sc?.privileged ?? false;
  const unmasked = privileged || sc?.procMount === 'Unmasked';
  const groups = podGroups(pod);
  return {
    ...capabilities(sc),
    privileged,
    namespaceOptions: namespaceOptions(pod, users, targetId),
    ...selinux(sc?.seLinuxOptions ?? psc?.seLinuxOptions),
    ...userOf(user, group, image),
    readonlyRootfs: sc?.readOnlyRootFilesystem ?? false,
    ...(groups.length > 0 && { supplementalGroups: groups }),
    ...(psc?.supplementalGroupsPolicy && {
      supplementalGroupsPolicy: psc.supplementalGroupsPolicy as 'Merge' | 'Strict',
    }),
    noNewPrivs: sc?.allowPrivilegeEscalation === false,
    ...(!unmasked && { maskedPaths, readonlyPaths }),
    ...appArmor(pod, container),
    seccomp: privileged ? { profileType: 'Unconfined' } : seccompOf(sc?.seccompProfile ?? psc?.seccompProfile),
  };
}

/** The image's user counts when a group alone is set: runtimes want a user with it. */
function userOf(user: number | undefined, group: number | undefined, image: Image) {
  const byImage = user === undefined && group !== undefined;
  return {
    ...(user !== undefined && { runAsUser: { value: user } }),
    ...(byImage &&
      (image.username ? { runAsUsername: image.username } : { runAsUser: { value: image.uid?.value ?? 0 } })),
    ...(group !== undefined && { runAsGroup: { value: group } }),
  };
}

function verifyNonRoot(pod: Pod, container: AnyContainer, user: number | undefined, image: Image): void {
  const nonRoot = container.securityContext?.runAsNonRoot ?? pod.spec.securityContext?.runAsNonRoot;
  if (!nonRoot) return;
  const where = `(pod: "${formatPod(pod)}", container: ${container.name})`;
  if (user === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
  if (user !== undefined) return;
  if (image.username)
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${image.username}), cannot verify user is non-root ${where}`,
    );
  if (!image.uid || image.uid.value === 0)
    throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
}
