/** KubeSchedulerConfiguration, kubescheduler.config.k8s.io/v1, as far as it says how to schedule. */
export interface PluginEntry {
  readonly name: string;
  readonly weight?: number;
}
export interface PluginSet {
  readonly enabled?: readonly PluginEntry[];
  readonly disabled?: readonly PluginEntry[];
}
export const extensionPoints = [
  'preEnqueue',
  'queueSort',
  'preFilter',
  'filter',
  'postFilter',
  'preScore',
  'score',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
] as const;
export type ExtensionPoint = (typeof extensionPoints)[number];

export interface ProfileConfiguration {
  readonly schedulerName?: string;
  readonly percentageOfNodesToScore?: number;
  readonly plugins?: { readonly [P in ExtensionPoint | 'multiPoint']?: PluginSet };
  readonly pluginConfig?: readonly { readonly name: string; readonly args?: Readonly<Record<string, unknown>> }[];
}

export interface ExtenderConfiguration {
  readonly urlPrefix: string;
  readonly filterVerb?: string;
  readonly prioritizeVerb?: string;
  readonly preemptVerb?: string;
  readonly bindVerb?: string;
  readonly weight?: number;
  readonly enableHTTPS?: boolean;
  readonly tlsConfig?: Readonly<Record<string, unknown>>;
  /** Like "5s". */
  readonly httpTimeout?: string;
  readonly nodeCacheCapable?: boolean;
  /** The extender is asked only about pods that ask for one of these; `ignoredByScheduler`: NodeResourcesFit leaves it alone. */
  readonly managedResources?: readonly { readonly name: string; readonly ignoredByScheduler?: boolean }[];
  /** The pod is scheduled although the extender does not answer. */
  readonly ignorable?: boolean;
}

export interface SchedulerConfiguration {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly parallelism?: number;
  readonly leaderElection?: {
    readonly leaderElect?: boolean;
    readonly leaseDuration?: string;
    readonly renewDeadline?: string;
    readonly retryPeriod?: string;
    readonly resourceName?: string;
    readonly resourceNamespace?: string;
  };
  readonly percentageOfNodesToScore?: number;
  readonly podInitialBackoffSeconds?: number;
  readonly podMaxBackoffSeconds?: number;
  readonly profiles?: readonly ProfileConfiguration[];
  readonly extenders?: readonly ExtenderConfiguration[];
  /** Tsukube's own: TypeScript modules with more plugins; each default-exports a PluginFactory or a list of them. */
  readonly pluginModules?: readonly string[];
}

/** The configuration makes no sense. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}
