import type { Container, VolumeDevice, VolumeMount } from '../../../../api/types/core-v1.ts';
import { type Errors, each, oneOf, optional, required } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import type { PodContext } from './context.ts';
import { descendingPath, noBacksteps } from './paths.ts';

function validatePropagation(mode: string, path: string, privileged: boolean): Errors {
  return [
    ...oneOf(['Bidirectional', 'HostToContainer', 'None'])(mode, path),
    ...(mode === 'Bidirectional' && !privileged
      ? [field.forbidden(path, 'Bidirectional mount propagation is available only to privileged containers')]
      : []),
  ];
}

function validateRecursive(mount: VolumeMount, path: string): Errors {
  const mode = mount.recursiveReadOnly;
  if (mode === undefined || mode === 'Disabled') return [];
  if (mode !== 'Enabled' && mode !== 'IfPossible') {
    return [field.notSupported(path, mode, ['Disabled', 'Enabled', 'IfPossible'])];
  }
  const propagated = mount.mountPropagation !== undefined && mount.mountPropagation !== 'None';
  return [
    ...(mount.readOnly ? [] : [field.forbidden(path, 'may only be specified when readOnly is true')]),
    ...(propagated
      ? [field.forbidden(path, 'may only be specified when mountPropagation is None or not specified')]
      : []),
  ];
}

/** Sub-paths, propagation and recursion are reported at the list, as upstream does. */
function validateOptions(mount: VolumeMount, list: string, at: string, privileged: boolean): Errors {
  const { subPath, subPathExpr } = mount;
  return [
    ...(subPath ? descendingPath(subPath, `${list}.subPath`) : []),
    ...(subPath && subPathExpr
      ? [field.invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive')]
      : []),
    ...(subPathExpr ? descendingPath(subPathExpr, `${list}.subPathExpr`) : []),
    ...optional(mount.mountPropagation, `${list}.mountPropagation`, (mode, where) =>
      validatePropagation(mode, where, privileged),
    ),
    ...validateRecursive(mount, `${list}.recursiveReadOnly`),
  ];
}

function validateImageMount(mount: VolumeMount, at: string): Errors {
  return mount.subPathExpr
    ? [field.invalid(`${at}.subPathExpr`, mount.subPathExpr, 'not allowed in image volume sources')]
    : [];
}

function validateMounts(container: Container, path: string, context: PodContext): Errors {
  const paths = new Set<string>();
  const devices = container.volumeDevices ?? [];
  const privileged = container.securityContext?.privileged ?? false;
  return each(container.volumeMounts, path, (mount, at) => {
    const { name, mountPath } = mount;
    const volume = context.volumes.get(name);
    const errors = [
      ...required(name, `${at}.name`),
      ...(volume ? [] : [field.notFound(`${at}.name`, name ?? '')]),
      ...required(mountPath, `${at}.mountPath`),
      ...(paths.has(mountPath) ? [field.invalid(`${at}.mountPath`, mountPath, 'must be unique')] : []),
      ...(devices.some(d => d.name === name)
        ? [field.invalid(`${at}.name`, name, 'must not already exist in volumeDevices')]
        : []),
      ...(devices.some(d => d.devicePath === mountPath)
        ? [field.invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices')]
        : []),
      ...(volume?.image ? validateImageMount(mount, at) : []),
      ...validateOptions(mount, path, at, privileged),
    ];
    paths.add(mountPath);
    return errors;
  });
}

function validateDevice(device: VolumeDevice, at: string, container: Container, context: PodContext): Errors {
  const { name, devicePath } = device;
  const volume = context.volumes.get(name);
  const isClaim = volume?.persistentVolumeClaim || volume?.ephemeral;
  const why = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode';
  const mounts = container.volumeMounts ?? [];
  return [
    ...required(name, `${at}.name`),
    ...(volume && !isClaim ? [field.invalid(`${at}.name`, name, why)] : []),
    ...(volume ? [] : [field.notFound(`${at}.name`, name ?? '')]),
    ...required(devicePath, `${at}.devicePath`),
    ...(noBacksteps(devicePath ?? '', '').length > 0
      ? [field.invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')")]
      : []),
    ...(mounts.some(m => m.name === name)
      ? [field.invalid(`${at}.name`, name, 'must not already exist in volumeMounts')]
      : []),
    ...(mounts.some(m => m.mountPath === devicePath)
      ? [field.invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts')]
      : []),
  ];
}

export function validateContainerVolumes(container: Container, path: string, context: PodContext): Errors {
  const names = new Set<string>();
  const paths = new Set<string>();
  return [
    ...validateMounts(container, `${path}.volumeMounts`, context),
    ...each(container.volumeDevices, `${path}.volumeDevices`, (device, at) => {
      const twice = [
        ...(names.has(device.name) ? [field.invalid(`${at}.name`, device.name, 'must be unique')] : []),
        ...(paths.has(device.devicePath)
          ? [field.invalid(`${at}.devicePath`, device.devicePath, 'must be unique')]
          : []),
      ];
      if (device.name) names.add(device.name);
      paths.add(device.devicePath);
      return [...twice, ...validateDevice(device, at, container, context)];
    }),
  ];
}
