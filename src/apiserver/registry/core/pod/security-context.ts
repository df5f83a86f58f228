import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  WindowsSecurityContextOptions,
} from '../../../../api/types/core-v1.ts';
import { byteLength, isGroupId, isUserId } from '../../../../api/validation/names.ts';
import { type Check, dnsSubdomain, type Errors, each, invalidAll, oneOf, optional } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { internalForm } from '../../internal-form.ts';
import { descendingPath } from './paths.ts';

const userId: Check<number> = (id, path) => invalidAll(path, id, isUserId(id));
const groupId: Check<number> = (id, path) => invalidAll(path, id, isGroupId(id));
const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

const validateSeccomp: Check<SeccompProfile> = (profile, path) => {
  const local = `${path}.localhostProfile`;
  const type = profile.type
    ? oneOf(profileTypes)(profile.type, `${path}.type`)
    : [field.required(`${path}.type`, 'type is required when seccompProfile is set')];
  if (profile.type !== 'Localhost') {
    const extra = profile.localhostProfile !== undefined;
    return extra ? [...type, field.invalid(local, profile, 'can only be set when seccomp type is Localhost')] : type;
  }
  return profile.localhostProfile === undefined
    ? [field.required(local, 'must be set when seccomp type is Localhost')]
    : descendingPath(profile.localhostProfile, local);
};

const maxProfilePath = 4095;

function validateLocalAppArmor(profile: string | undefined, path: string): Errors {
  if (profile === undefined || profile === '') {
    return [field.required(path, 'must be set when AppArmor type is Localhost')];
  }
  return [
    ...(profile.trim() === profile ? [] : [field.invalid(path, profile, 'must not be padded with whitespace')]),
    ...(byteLength(profile) > maxProfilePath ? [field.tooLong(path, maxProfilePath)] : []),
  ];
}

const validateAppArmor: Check<AppArmorProfile> = (profile, path) => {
  const local = `${path}.localhostProfile`;
  if (!profile.type) return [field.required(`${path}.type`, 'type is required when appArmorProfile is set')];
  if (profile.type === 'Localhost') return validateLocalAppArmor(profile.localhostProfile, local);
  if (!profileTypes.includes(profile.type)) return oneOf(profileTypes)(profile.type, `${path}.type`);
  return optional(profile.localhostProfile, local, value => [
    field.invalid(local, value, 'can only be set when AppArmor type is Localhost'),
  ]);
};

const maxCredentialSpec = 64 * 1024;
const maxUser = 104;

function validateRunAsUserName(name: string, path: string): Errors {
  if (name === '') return [field.invalid(path, name, 'runAsUserName cannot be an empty string')];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name))
    return [field.invalid(path, name, 'runAsUserName cannot contain control characters')];
  const parts = name.split('\\');
  if (parts.length > 2) return [field.invalid(path, name, 'runAsUserName cannot contain more than one backslash')];
  const user = parts.at(-1) ?? '';
  const errors: Errors = [];
  if (user === '') errors.push(field.invalid(path, name, "runAsUserName's User cannot be empty"));
  if (user.length > maxUser) {
    errors.push(field.invalid(path, name, `runAsUserName's User length must not be longer than ${maxUser} characters`));
  }
  if (/^[. ]+$/.test(user)) {
    errors.push(field.invalid(path, name, "runAsUserName's User cannot contain only periods or spaces"));
  }
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    const why = 'runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]';
    errors.push(field.invalid(path, name, why));
  }
  return errors;
}

const validateWindows: Check<WindowsSecurityContextOptions> = (options, path) => [
  ...optional(options.gmsaCredentialSpecName, `${path}.gmsaCredentialSpecName`, dnsSubdomain),
  ...optional(options.gmsaCredentialSpec, `${path}.gmsaCredentialSpec`, (spec, at) =>
    spec === ''
      ? [field.invalid(at, spec, 'gmsaCredentialSpec cannot be an empty string')]
      : byteLength(spec) > maxCredentialSpec
        ? [field.invalid(at, spec, 'gmsaCredentialSpec size must be under 64 KiB')]
        : [],
  ),
  ...optional(options.runAsUserName, `${path}.runAsUserName`, validateRunAsUserName),
];

const profile = { Type: '', LocalhostProfile: null };
const shownContext = {
  Capabilities: { Add: null, Drop: null },
  Privileged: null,
  SELinuxOptions: { User: '', Role: '', Type: '', Level: '' },
  WindowsOptions: { GMSACredentialSpecName: null, GMSACredentialSpec: null, RunAsUserName: null, HostProcess: null },
  RunAsUser: null,
  RunAsGroup: null,
  RunAsNonRoot: null,
  ReadOnlyRootFilesystem: null,
  AllowPrivilegeEscalation: null,
  ProcMount: null,
  SeccompProfile: profile,
  AppArmorProfile: profile,
};

function validateEscalation(context: SecurityContext, path: string): Errors {
  if (context.allowPrivilegeEscalation !== false) return [];
  const wrong = (why: string) => field.invalid(path, internalForm(shownContext, context), why);
  return [
    ...(context.privileged ? [wrong('cannot set `allowPrivilegeEscalation` to false and `privileged` to true')] : []),
    ...(context.capabilities?.add?.includes('CAP_SYS_ADMIN')
      ? [wrong('cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN')]
      : []),
  ];
}

const procMounts = ['Default', 'Unmasked'];

export function validateSecurityContext(
  context: SecurityContext | undefined,
  path: string,
  hostUsers: boolean,
): Errors {
  if (!context) return [];
  return [
    ...optional(context.runAsUser, `${path}.runAsUser`, userId),
    ...optional(context.runAsGroup, `${path}.runAsGroup`, groupId),
    ...optional(context.procMount, `${path}.procMount`, (mount, at) => [
      ...oneOf(procMounts)(mount, at),
      ...(hostUsers && mount === 'Unmasked'
        ? [field.invalid(at, mount, '`hostUsers` must be false to use `Unmasked`')]
        : []),
    ]),
    ...optional(context.seccompProfile, `${path}.seccompProfile`, validateSeccomp),
    ...validateEscalation(context, path),
    ...optional(context.windowsOptions, `${path}.windowsOptions`, validateWindows),
    ...optional(context.appArmorProfile, `${path}.appArmorProfile`, validateAppArmor),
  ];
}

const segment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlPattern = `^(${segment}[\\./])*${segment}$`;
const sysctlName = new RegExp(sysctlPattern);
const maxSysctl = 253;
const netSysctl = /^net[./]/;
const ipcSysctl = /^(kernel[./](shmmax|shmall|shmmni|shm_rmid_forced|msgmax|msgmnb|msgmni|sem)$|fs[./]mqueue[./])/;

function validateSysctls(spec: PodSpec, context: PodSecurityContext, path: string): Errors {
  const seen = new Set<string>();
  return each(context.sysctls, path, ({ name }, at) => {
    const where = `${at}.name`;
    const errors: Errors = [];
    if (!name) errors.push(field.required(where));
    else if (name.length > maxSysctl || !sysctlName.test(name)) {
      errors.push(
        field.invalid(where, name, `must have at most ${maxSysctl} characters and match regex ${sysctlPattern}`),
      );
    } else if (seen.has(name)) errors.push(field.duplicate(where, name));
    seen.add(name);
    if (spec.hostNetwork && netSysctl.test(name)) {
      errors.push(field.invalid(where, name, "may not be specified when 'hostNetwork' is true"));
    } else if (spec.hostIPC && ipcSysctl.test(name)) {
      errors.push(field.invalid(where, name, "may not be specified when 'hostIPC' is true"));
    }
    return errors;
  });
}

export function validatePodSecurityContext(spec: PodSpec, path: string): Errors {
  const context = spec.securityContext;
  if (!context) return [];
  return [
    ...optional(context.fsGroup, `${path}.fsGroup`, groupId),
    ...optional(context.runAsUser, `${path}.runAsUser`, userId),
    ...optional(context.runAsGroup, `${path}.runAsGroup`, groupId),
    ...each(context.supplementalGroups, `${path}.supplementalGroups`, groupId),
    ...(spec.shareProcessNamespace && spec.hostPID
      ? [
          field.invalid(
            `${path}.shareProcessNamespace`,
            true,
            'ShareProcessNamespace and HostPID cannot both be enabled',
          ),
        ]
      : []),
    ...validateSysctls(spec, context, `${path}.sysctls`),
    ...optional(context.fsGroupChangePolicy, `${path}.fsGroupChangePolicy`, oneOf(['Always', 'OnRootMismatch'])),
    ...optional(context.seccompProfile, `${path}.seccompProfile`, validateSeccomp),
    ...optional(context.windowsOptions, `${path}.windowsOptions`, validateWindows),
    ...optional(context.appArmorProfile, `${path}.appArmorProfile`, validateAppArmor),
    ...optional(context.supplementalGroupsPolicy, `${path}.supplementalGroupsPolicy`, oneOf(['Merge', 'Strict'])),
    ...optional(context.seLinuxChangePolicy, `${path}.seLinuxChangePolicy`, oneOf(['MountOption', 'Recursive'])),
  ];
}
