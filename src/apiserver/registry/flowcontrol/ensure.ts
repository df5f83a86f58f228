/** Makes and maintains the server's own flow schemas and priority levels. */
import type { KubeObject } from '../../../api/object.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../base/errors.ts';
import type { Client, ResourceClient } from '../../../client/contract.ts';
import { same } from '../checks.ts';
import type { Strategy } from '../strategy.ts';
import { mandatory, suggested } from './bootstrap.ts';
import { flowSchemas } from './flow-schema.ts';
import { priorityLevelConfigurations } from './priority-level.ts';

const autoUpdate = 'apf.kubernetes.io/autoupdate-spec';
const options = { fieldManager: 'api-priority-and-fairness-config-producer-v1' };

/** Another server may do the same at the same moment: what it did is as good. */
function otherServerWasFaster(error: unknown): void {
  if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
}

interface Wanted<T> {
  readonly mandatory: readonly T[];
  readonly suggested: readonly T[];
}

/** As strconv.ParseBool of Go reads it; undefined for anything else. */
function parsedBool(text = ''): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

/** Whether the spec is the server's: by annotation or, where that says nothing, when nobody has changed the spec since its creation. */
function isMaintained({ metadata: { annotations, generation } }: KubeObject): boolean {
  return parsedBool(annotations?.[autoUpdate]) ?? generation === 1;
}

/** The stored object as it should be, or undefined when it is so. */
function revised<T extends Spec>(found: T, wanted: T, isMandatory: boolean): T | undefined {
  const maintained = isMandatory || isMaintained(found);
  const isAnnotated = parsedBool(found.metadata.annotations?.[autoUpdate]) === maintained;
  const isRight = !maintained || same(found.spec, wanted.spec);
  if (isAnnotated && isRight) return undefined;
  const annotations = { ...found.metadata.annotations, ...(!isAnnotated && { [autoUpdate]: `${maintained}` }) };
  return {
    ...found,
    metadata: { ...found.metadata, annotations },
    spec: isRight ? found.spec : wanted.spec,
  };
}

type Spec = KubeObject & { spec: object };

async function ensureAll<T extends Spec>(
  store: Pick<ResourceClient<T>, 'list' | 'create' | 'update' | 'delete'>,
  { mandatory, suggested }: Wanted<T>,
  strategy: Strategy<T>,
): Promise<void> {
  const present = new Map((await store.list()).items.map(obj => [obj.metadata.name, obj] as const));
  const ensureOne = async (template: T, isMandatory: boolean) => {
    const obj = structuredClone(template);
    strategy.default?.(obj);
    const found = present.get(obj.metadata.name);
    present.delete(obj.metadata.name);
    if (!found) return void (await store.create(obj, options));
    const revision = revised(found, obj, isMandatory);
    if (revision) await store.update(revision, options);
  };
  await Promise.all([
    ...mandatory.map(obj => ensureOne(obj, true).catch(otherServerWasFaster)),
    ...suggested.map(obj => ensureOne(obj, false).catch(otherServerWasFaster)),
  ]);
  for (const { metadata } of present.values())
    if (parsedBool(metadata.annotations?.[autoUpdate])) await store.delete(metadata.name).catch(otherServerWasFaster);
}

/**
 * Creates what is missing, restores what drifted unless an administrator took it over, and removes what earlier versions maintained.
 * Idempotent (pkg/registry/flowcontrol/ensurer of v1.35).
 */
export async function ensureFlowControl(client: Client): Promise<void> {
  await ensureAll(
    client.resource('flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations'),
    { mandatory: mandatory.priorityLevels, suggested: suggested.priorityLevels },
    priorityLevelConfigurations,
  );
  await ensureAll(
    client.resource('flowcontrol.apiserver.k8s.io/v1/flowschemas'),
    { mandatory: mandatory.flowSchemas, suggested: suggested.flowSchemas },
    flowSchemas,
  );
}
