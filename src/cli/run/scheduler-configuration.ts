/** Reads a KubeSchedulerConfiguration file and the modules of plugins that it names; asks extenders over HTTP. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseYaml } from '../../api/codec/yaml.ts';
import { parseGoDuration } from '../../api/duration.ts';
import {
  ConfigurationError,
  type ExtenderCall,
  type PluginFactory,
  type SchedulerConfiguration,
} from '../../scheduler/index.ts';

const apiVersion = 'kubescheduler.config.k8s.io/v1';

export interface LoadedConfiguration {
  readonly configuration: SchedulerConfiguration;
  readonly plugins: readonly PluginFactory[];
}

/** @throws ConfigurationError */
export async function loadSchedulerConfiguration(file: string): Promise<LoadedConfiguration> {
  const configuration = parseYaml(readFileSync(file, 'utf8'))[0]?.value as SchedulerConfiguration | undefined;
  if (!configuration || configuration.apiVersion !== apiVersion || configuration.kind !== 'KubeSchedulerConfiguration')
    throw new ConfigurationError(`${file}: a KubeSchedulerConfiguration of ${apiVersion} is wanted`);
  const plugins: PluginFactory[] = [];
  for (const module of configuration.pluginModules ?? [])
    plugins.push(...(await loadModule(resolve(dirname(file), module))));
  return { configuration, plugins };
}

async function loadModule(file: string): Promise<readonly PluginFactory[]> {
  const { default: exported } = (await import(pathToFileURL(file).href)) as { default?: unknown };
  const list = Array.isArray(exported) ? exported : [exported];
  for (const each of list)
    if (typeof each?.name !== 'string' || typeof each.create !== 'function')
      throw new ConfigurationError(`${file}: the default export is no plugin: { name, create(args, handle) }`);
  return list;
}

/** Milliseconds of a duration like "1m30s". @throws ConfigurationError */
export function parseDuration(text: string): number {
  try {
    return parseGoDuration(text);
  } catch {
    throw new ConfigurationError(`"${text}" is not a duration`);
  }
}

const defaultTimeout = '5s';

export const callExtender: ExtenderCall = async ({ httpTimeout, enableHTTPS }, url, body, signal) => {
  const target = /^https?:/.test(url) ? url : `${enableHTTPS ? 'https' : 'http'}://${url}`;
  const timeout = AbortSignal.timeout(parseDuration(httpTimeout ?? defaultTimeout));
  const response = await fetch(target, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.any([signal, timeout]),
  });
  if (!response.ok) throw new Error(`${target} answered ${response.status}`);
  return response.json();
};
