/** The baseline level: nothing that is known to let a pod escape. */
import type { Container, LifecycleHandler, PodSpec, Probe, SELinuxOptions } from '../../../api/types/core-v1.ts';
import {
  type Check,
  containersText,
  containersThat,
  inUserNamespace,
  type PodCheck,
  plural,
  quoted,
  settersText,
  sorted,
  unless,
} from './check.ts';

const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';
const seccompPodAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';

const appArmor: PodCheck = (spec, metadata) => {
  const bad = (type: string | undefined) => type !== undefined && type !== 'RuntimeDefault' && type !== 'Localhost';
  const values: string[] = [];
  const podType = spec.securityContext?.appArmorProfile?.type;
  if (podType !== undefined && bad(podType)) values.push(podType);
  const containers = containersThat(spec, c => {
    const type = c.securityContext?.appArmorProfile?.type;
    if (type !== undefined && bad(type)) values.push(type);
    return bad(type);
  });
  const annotations = Object.entries(metadata.annotations ?? {})
    .filter(([key, v]) => key.startsWith(appArmorPrefix) && v && v !== 'runtime/default' && !v.startsWith('localhost/'))
    .map(([key, v]) => `${key}=${JSON.stringify(v)}`)
    .sort();
  const setters = [
    settersText(bad(podType), containers),
    ...(annotations.length > 0 ? [plural('annotation', 'annotations', annotations.length)] : []),
  ].filter(Boolean);
  const all = [...sorted(values), ...annotations];
  if (setters.length === 0) return undefined;
  return {
    reason: plural('forbidden AppArmor profile', 'forbidden AppArmor profiles', all.length),
    detail: `${setters.join(' and ')} must not set AppArmor profile type to ${quoted(all)}`,
  };
};

const defaultCapabilities = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const capabilities: PodCheck = spec => {
  const found: string[] = [];
  const containers = containersThat(spec, c => {
    const bad = (c.securityContext?.capabilities?.add ?? []).filter(name => !defaultCapabilities.has(name));
    found.push(...bad);
    return bad.length > 0;
  });
  if (containers.length === 0) return undefined;
  return {
    reason: 'non-default capabilities',
    detail: `${containersText(containers)} must not include ${quoted(sorted(found))} in securityContext.capabilities.add`,
  };
};

const hostNamespaces: PodCheck = spec => {
  const set = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter(name => spec[name]);
  if (set.length === 0) return undefined;
  return { reason: 'host namespaces', detail: set.map(name => `${name}=true`).join(', ') };
};

const hostPathVolumes: PodCheck = spec => {
  const names = (spec.volumes ?? []).filter(v => v.hostPath).map(v => v.name);
  if (names.length === 0) return undefined;
  return { reason: 'hostPath volumes', detail: `${plural('volume', 'volumes', names.length)} ${quoted(names)}` };
};

const hostPorts: PodCheck = spec => {
  const ports: string[] = [];
  const containers = containersThat(spec, c => {
    const bad = (c.ports ?? []).flatMap(p => (p.hostPort ? [String(p.hostPort)] : []));
    ports.push(...bad);
    return bad.length > 0;
  });
  if (containers.length === 0) return undefined;
  const list = sorted(ports);
  const uses = plural('uses', 'use', containers.length);
  const what = plural('hostPort', 'hostPorts', list.length);
  return { reason: 'hostPort', detail: `${containersText(containers)} ${uses} ${what} ${list.join(', ')}` };
};

function handlerHosts(handler: Probe | LifecycleHandler | undefined): string[] {
  return [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((h): h is string => h !== undefined && h !== '');
}

const hostProbes: PodCheck = spec => {
  const hosts: string[] = [];
  const containers = containersThat(spec, c => {
    const handlers = [c.livenessProbe, c.readinessProbe, c.startupProbe, c.lifecycle?.postStart, c.lifecycle?.preStop];
    const bad = handlers.flatMap(handlerHosts);
    hosts.push(...bad);
    return bad.length > 0;
  });
  if (containers.length === 0) return undefined;
  const list = sorted(hosts);
  const uses = plural('uses', 'use', containers.length);
  const what = plural('probe or lifecycle host', 'probe or lifecycle hosts', list.length);
  return {
    reason: 'probe or lifecycle host',
    detail: `${containersText(sorted(containers))} ${uses} ${what} ${quoted(list)}`,
  };
};

const privileged: PodCheck = spec => {
  const containers = containersThat(spec, c => c.securityContext?.privileged === true);
  if (containers.length === 0) return undefined;
  return {
    reason: 'privileged',
    detail: `${containersText(containers)} must not set securityContext.privileged=true`,
  };
};

export const procMount: PodCheck = spec => {
  const found: string[] = [];
  const containers = containersThat(spec, c => {
    const type = c.securityContext?.procMount;
    if (type === undefined || type === 'Default') return false;
    found.push(type);
    return true;
  });
  if (containers.length === 0) return undefined;
  return {
    reason: 'procMount',
    detail: `${containersText(containers)} must not set securityContext.procMount to ${quoted(sorted(found))}`,
  };
};

const seLinux =
  (allowedTypes: readonly string[]): PodCheck =>
  spec => {
    const types: string[] = [];
    let [user, role] = [false, false];
    const bad = (options: SELinuxOptions | undefined): boolean => {
      if (!options) return false;
      const badType = !allowedTypes.includes(options.type ?? '');
      if (badType) types.push(options.type ?? '');
      user ||= !!options.user;
      role ||= !!options.role;
      return badType || !!options.user || !!options.role;
    };
    const pod = bad(spec.securityContext?.seLinuxOptions);
    const setters = settersText(
      pod,
      containersThat(spec, c => bad(c.securityContext?.seLinuxOptions)),
    );
    if (!setters) return undefined;
    const list = sorted(types);
    const data = [
      ...(list.length > 0 ? [`${plural('type', 'types', list.length)} ${quoted(list)}`] : []),
      ...(user ? ['user may not be set'] : []),
      ...(role ? ['role may not be set'] : []),
    ];
    return {
      reason: 'seLinuxOptions',
      detail: `${setters} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
    };
  };
const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t'];

const allowedSeccompAnnotation = (v: string) =>
  v === 'runtime/default' || v === 'docker/default' || v.startsWith('localhost/');

const seccompAnnotations: PodCheck = (spec, { annotations = {} }) => {
  const keys = [
    seccompPodAnnotation,
    ...containersThat(spec, () => true).map(name => `${seccompContainerPrefix}${name}`),
  ];
  const bad = keys.flatMap(key => {
    const value = annotations[key];
    return value === undefined || allowedSeccompAnnotation(value) ? [] : [`${key}=${JSON.stringify(value)}`];
  });
  if (bad.length === 0) return undefined;
  const list = sorted(bad);
  return {
    reason: 'seccompProfile',
    detail: `forbidden ${plural('annotation', 'annotations', list.length)} ${list.join(', ')}`,
  };
};

export const allowedSeccomp = (type: string): boolean => type === 'Localhost' || type === 'RuntimeDefault';

/** Profiles that are set to something else than the two allowed ones. */
export const seccompTypes: PodCheck = spec => {
  const values: string[] = [];
  const bad = (context: Container['securityContext'] | PodSpec['securityContext']): boolean => {
    const profile = context?.seccompProfile;
    if (!profile || allowedSeccomp(profile.type)) return false;
    values.push(profile.type);
    return true;
  };
  const pod = bad(spec.securityContext);
  const setters = settersText(
    pod,
    containersThat(spec, c => bad(c.securityContext)),
  );
  if (!setters) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(sorted(values))}`,
  };
};

const sysctlsBefore27 = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
];
const sysctlsBefore29 = [...sysctlsBefore27, 'net.ipv4.ip_local_reserved_ports'];
const sysctlsBefore32 = [
  ...sysctlsBefore29,
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
];
const sysctlsSince32 = [...sysctlsBefore32, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const sysctls =
  (allowed: readonly string[]): PodCheck =>
  spec => {
    const bad = (spec.securityContext?.sysctls ?? []).map(s => s.name).filter(name => !allowed.includes(name));
    return bad.length > 0 ? { reason: 'forbidden sysctls', detail: bad.join(', ') } : undefined;
  };

const hostProcess: PodCheck = spec => {
  const setters = settersText(
    spec.securityContext?.windowsOptions?.hostProcess === true,
    containersThat(spec, c => c.securityContext?.windowsOptions?.hostProcess === true),
  );
  if (!setters) return undefined;
  return { reason: 'hostProcess', detail: `${setters} must not set securityContext.windowsOptions.hostProcess=true` };
};

/** In the order in which their complaints are shown. */
export const baselineChecks: readonly Check[] = [
  { id: 'appArmorProfile', versions: [{ since: 0, check: appArmor }] },
  { id: 'capabilities_baseline', versions: [{ since: 0, check: capabilities }] },
  { id: 'hostNamespaces', versions: [{ since: 0, check: hostNamespaces }] },
  { id: 'hostPathVolumes', versions: [{ since: 0, check: hostPathVolumes }] },
  { id: 'hostPorts', versions: [{ since: 0, check: hostPorts }] },
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: hostProbes }] },
  { id: 'privileged', versions: [{ since: 0, check: privileged }] },
  {
    id: 'procMount',
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: unless(inUserNamespace, procMount) },
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      { since: 0, check: seLinux(seLinuxTypes) },
      { since: 31, check: seLinux([...seLinuxTypes, 'container_engine_t']) },
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      { since: 0, check: seccompAnnotations },
      { since: 19, check: seccompTypes },
    ],
  },
  {
    id: 'sysctls',
    versions: [
      { since: 0, check: sysctls(sysctlsBefore27) },
      { since: 27, check: sysctls(sysctlsBefore29) },
      { since: 29, check: sysctls(sysctlsBefore32) },
      { since: 32, check: sysctls(sysctlsSince32) },
    ],
  },
  { id: 'windowsHostProcess', versions: [{ since: 0, check: hostProcess }] },
];
