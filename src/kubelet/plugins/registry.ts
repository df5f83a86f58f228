/** Plugins that register by a socket in `plugins_registry`: CSI drivers and DRA drivers. Upstream: pkg/kubelet/pluginmanager. */
import { readdir } from 'node:fs/promises';
import { messageOf } from '../../base/errors.ts';
import { createCodec } from '../grpc/codec.ts';
import { createUnixClient } from '../grpc/unix-client.ts';

export const registrationMessages = `
PluginInfo type=1:s name=2:s endpoint=3:s supported_versions=4:s*
RegistrationStatus plugin_registered=1:b error=2:s
RegistrationStatusResponse
InfoRequest
`;
const service = 'pluginregistration.Registration';
const timeoutMs = 5000;

export interface Plugin {
  name: string;
  /** The socket of its service. */
  endpoint: string;
  versions: readonly string[];
}
export interface PluginKind {
  /** Rejects with what the plugin is told. */
  add(plugin: Plugin): Promise<void>;
  remove(name: string): void;
}
export interface PluginRegistry {
  /** Looks for plugins that came or left. True when something changed. */
  scan(): Promise<boolean>;
}

/** `kinds` by the type that plugins give: `CSIPlugin`, `DRAPlugin`. Others are left to whom they concern. */
export function createPluginRegistry(root: string, kinds: Readonly<Record<string, PluginKind>>): PluginRegistry {
  const directory = `${root}/plugins_registry`;
  const known = new Map<string, { kind: PluginKind; name: string }>();

  async function register(socket: string): Promise<void> {
    const client = createUnixClient(socket, createCodec(registrationMessages));
    const call = <R>(method: string, request: [string, object], response: string) =>
      client.call<R>(`${service}/${method}`, request, response, { timeoutMs });
    try {
      type Info = { type: string; name: string; endpoint: string; supportedVersions: string[] };
      const info = await call<Info>('GetInfo', ['InfoRequest', {}], 'PluginInfo');
      const kind = Object.hasOwn(kinds, info.type) ? kinds[info.type] : undefined;
      if (!kind) return;
      const plugin = { name: info.name, endpoint: info.endpoint || socket, versions: info.supportedVersions };
      const failure = await kind.add(plugin).then(() => '', messageOf);
      const told = { pluginRegistered: failure === '', error: failure };
      if (!failure) known.set(socket, { kind, name: info.name });
      await call('NotifyRegistrationStatus', ['RegistrationStatus', told], 'RegistrationStatusResponse');
    } finally {
      client.close();
    }
  }
  return {
    async scan() {
      const before = known.size;
      let changed = false;
      const present = new Set((await readdir(directory).catch(() => [])).map(f => `${directory}/${f}`));
      for (const socket of present)
        if (socket.endsWith('.sock') && !known.has(socket)) await register(socket).catch(() => undefined);
      changed = known.size !== before;
      for (const [socket, { kind, name }] of known) {
        if (present.has(socket)) continue;
        known.delete(socket);
        kind.remove(name);
        changed = true;
      }
      return changed;
    },
  };
}
