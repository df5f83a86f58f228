/** From configuration to profiles (pkg/scheduler/apis/config/v1/default_plugins.go and framework/runtime, expandMultiPointPlugins). */
import type { Profile } from '../cycle/profile.ts';
import type { Plugin, PluginFactory, PluginHandle } from '../framework/plugin.ts';
import {
  ConfigurationError,
  type ExtensionPoint,
  type PluginEntry,
  type PluginSet,
  type ProfileConfiguration,
  type SchedulerConfiguration,
} from './types.ts';

/** The default profile: one list, in order, with the weights of scores. */
export const defaultPlugins: readonly PluginEntry[] = [
  { name: 'SchedulingGates' },
  { name: 'PrioritySort' },
  { name: 'NodeUnschedulable' },
  { name: 'NodeName' },
  { name: 'TaintToleration', weight: 3 },
  { name: 'NodeAffinity', weight: 2 },
  { name: 'NodePorts' },
  { name: 'NodeResourcesFit', weight: 1 },
  { name: 'VolumeRestrictions' },
  { name: 'NodeVolumeLimits' },
  { name: 'VolumeBinding' },
  { name: 'VolumeZone' },
  { name: 'PodTopologySpread', weight: 2 },
  { name: 'InterPodAffinity', weight: 2 },
  { name: 'DynamicResources' },
  { name: 'DefaultPreemption' },
  { name: 'NodeResourcesBalancedAllocation', weight: 1 },
  { name: 'ImageLocality', weight: 1 },
  { name: 'DefaultBinder' },
];

const defaultName = 'default-scheduler';

/** Which function makes a plugin take part. */
const functionOf = {
  preEnqueue: 'preEnqueue',
  queueSort: 'less',
  preFilter: 'preFilter',
  filter: 'filter',
  postFilter: 'postFilter',
  preScore: 'preScore',
  score: 'score',
  reserve: 'reserve',
  permit: 'permit',
  preBind: 'preBind',
  bind: 'bind',
  postBind: 'postBind',
} as const satisfies Record<ExtensionPoint, keyof Plugin>;

/** @throws ConfigurationError */
export function buildProfiles(
  configuration: SchedulerConfiguration,
  factories: readonly PluginFactory[],
  handle: PluginHandle,
): ReadonlyMap<string, Profile> {
  const configured = configuration.profiles?.length ? configuration.profiles : [{}];
  const profiles = new Map<string, Profile>();
  for (const each of configured) {
    const profile = buildProfile(each, configuration, factories, handle);
    if (profiles.has(profile.schedulerName))
      throw new ConfigurationError(`profiles: Duplicate value: "${profile.schedulerName}"`);
    profiles.set(profile.schedulerName, profile);
  }
  return profiles;
}

function buildProfile(
  config: ProfileConfiguration,
  global: SchedulerConfiguration,
  factories: readonly PluginFactory[],
  handle: PluginHandle,
): Profile {
  const multi = mergeSet(defaultPlugins, config.plugins?.multiPoint);
  const args = argumentsOf(config, global);
  const made = new Map<string, Plugin>();
  const make = (name: string): Plugin => {
    let plugin = made.get(name);
    if (plugin) return plugin;
    const factory = factories.find(f => f.name === name);
    if (!factory) throw new ConfigurationError(`plugin "${name}" does not exist`);
    plugin = factory.create(args.get(name) ?? {}, handle);
    made.set(name, plugin);
    return plugin;
  };
  for (const { name } of multi) make(name);
  const at = (point: ExtensionPoint) => pluginsAt(point, multi, config.plugins?.[point], make);
  const plain = (point: ExtensionPoint) => at(point).map(e => e.plugin);
  const [queueSort, ...others] = plain('queueSort');
  const schedulerName = config.schedulerName ?? defaultName;
  if (!queueSort || others.length > 0)
    throw new ConfigurationError(`profile "${schedulerName}": exactly one queue sort plugin is required`);
  if (at('bind').length === 0) throw new ConfigurationError(`profile "${schedulerName}": a bind plugin is required`);
  return {
    schedulerName,
    percentageOfNodesToScore: config.percentageOfNodesToScore ?? global.percentageOfNodesToScore ?? 0,
    queueSort,
    preEnqueue: plain('preEnqueue'),
    preFilter: plain('preFilter'),
    filter: plain('filter'),
    postFilter: plain('postFilter'),
    preScore: plain('preScore'),
    score: at('score').filter(e => e.weight > 0),
    reserve: plain('reserve'),
    permit: plain('permit'),
    preBind: plain('preBind'),
    bind: plain('bind'),
    postBind: plain('postBind'),
    plugins: [...made.values()],
  };
}

function argumentsOf(config: ProfileConfiguration, global: SchedulerConfiguration) {
  const args = new Map((config.pluginConfig ?? []).map(({ name, args: given }) => [name, given ?? {}]));
  const ignored = (global.extenders ?? []).flatMap(e =>
    (e.managedResources ?? []).filter(r => r.ignoredByScheduler).map(r => r.name),
  );
  if (ignored.length === 0) return args;
  const fit = args.get('NodeResourcesFit') ?? {};
  const known = (fit['ignoredResources'] as readonly string[] | undefined) ?? [];
  return args.set('NodeResourcesFit', { ...fit, ignoredResources: [...known, ...ignored] });
}

/** Custom entries replace defaults of the same name in place; others come after. */
function mergeSet(defaults: readonly PluginEntry[], custom: PluginSet | undefined): readonly PluginEntry[] {
  const disabled = new Set((custom?.disabled ?? []).map(p => p.name));
  const enabled = custom?.enabled ?? [];
  const kept = disabled.has('*') ? [] : defaults.filter(p => !disabled.has(p.name));
  const merged = kept.map(p => enabled.find(e => e.name === p.name) ?? p);
  return [...merged, ...enabled.filter(e => !kept.some(p => p.name === e.name))];
}

function pluginsAt(
  point: ExtensionPoint,
  multi: readonly PluginEntry[],
  set: PluginSet | undefined,
  make: (name: string) => Plugin,
): { plugin: Plugin; weight: number }[] {
  const specific = set?.enabled ?? [];
  const disabled = new Set((set?.disabled ?? []).map(p => p.name));
  const takesPart = (entry: PluginEntry) => make(entry.name)[functionOf[point]] !== undefined;
  for (const entry of specific)
    if (!takesPart(entry)) throw new ConfigurationError(`plugin "${entry.name}" does not extend ${point} plugin`);
  const spread = multi.filter(p => takesPart(p) && !disabled.has('*') && !disabled.has(p.name));
  const overriding = specific.filter(e => spread.some(p => p.name === e.name));
  const rest = specific.filter(e => !overriding.includes(e));
  const plain = spread.filter(p => !overriding.some(e => e.name === p.name));
  return [...overriding, ...plain, ...rest].map(e => ({ plugin: make(e.name), weight: e.weight || 1 }));
}
