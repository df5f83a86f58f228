/**
 * Which devices meet the claims of a pod on a node (k8s.io/dynamic-resource-allocation/structured): a search in depth that takes devices
 * back when what follows does not fit.
 */
import { unitsOf } from '../../api/quantity.ts';
import type {
  AllocationResult,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceTaint,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaim,
} from '../../api/types/resource-v1.ts';
import { messageOf } from '../../base/errors.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { deviceId, idOf, type Located, offerTo } from './device-pools.ts';
import type { createDeviceSelectors } from './device-selectors.ts';
import { tolerates } from './taints.ts';

export interface AllocationInput {
  readonly claims: readonly ResourceClaim[];
  readonly node: NodeInfo;
  readonly lookup: Lookup;
  /** Devices of other claims, as `deviceId` writes them. */
  readonly taken: ReadonlySet<string>;
  readonly selectors: ReturnType<typeof createDeviceSelectors>;
}

/** One device for one request; `name` is "request" or "request/subrequest". */
interface Pick {
  readonly claim: ResourceClaim;
  readonly name: string;
  readonly ask: ExactDeviceRequest;
  readonly located: Located;
}

/** As upstream's AllocationResultsMaxSize. */
const maxDevicesPerClaim = 32;
/** Devices that are tried before the node counts as too hard. */
const maxSteps = 100_000;

/** By the claim's uid, or undefined when the claims do not all fit. @throws Error when a selector cannot be evaluated. */
export function allocate(input: AllocationInput): Map<string, AllocationResult> | undefined {
  const picks = search(input);
  if (!picks) return undefined;
  const ofClaim = (claim: ResourceClaim) => picks.filter(p => p.claim === claim);
  return new Map(input.claims.map(claim => [claim.metadata.uid ?? '', resultOf(claim, ofClaim(claim), input)]));
}

function search(input: AllocationInput): Pick[] | undefined {
  const { devices, unsettled } = offerTo(input.node, input.lookup);
  const goals = input.claims.flatMap(claim =>
    (claim.spec.devices?.requests ?? []).map(request => ({ claim, options: optionsOf(request) })),
  );
  const picks: Pick[] = [];
  let steps = 0;

  function mayTake(pick: Pick): boolean {
    const { claim, ask, located } = pick;
    const id = idOf(located);
    if (!ask.adminAccess && (input.taken.has(id) || picks.some(p => !p.ask.adminAccess && idOf(p.located) === id)))
      return false;
    const own = picks.filter(p => p.claim === claim);
    return own.length < maxDevicesPerClaim && (claim.spec.devices?.constraints ?? []).every(c => allows(c, pick, own));
  }
  /** Takes `count` of the candidates from `from` on, each followed by what comes next; all back when that fails. */
  function take(candidates: readonly Pick[], from: number, count: number, next: () => boolean): boolean {
    if (count === 0) return next();
    for (let i = from; i + count <= candidates.length; i++) {
      const pick = candidates[i];
      if (++steps > maxSteps) return false;
      if (!pick || !mayTake(pick)) continue;
      picks.push(pick);
      if (take(candidates, i + 1, count - 1, next)) return true;
      picks.pop();
    }
    return false;
  }
  function meet(goal: number): boolean {
    const { claim, options } = goals[goal] ?? {};
    if (!claim || !options) return true;
    return options.some(({ name, ask }) => {
      const candidates = devices
        .filter(d => fits(d, claim, ask, input))
        .map(located => ({ claim, name, ask, located }));
      const all = ask.allocationMode === 'All';
      if (all && (unsettled || candidates.length === 0)) return false;
      return take(candidates, 0, all ? candidates.length : (ask.count ?? 1), () => meet(goal + 1));
    });
  }
  return meet(0) ? picks : undefined;
}

/** The ways to meet a request, the preferred first. */
function optionsOf({ name, exactly, firstAvailable = [] }: DeviceRequest): { name: string; ask: ExactDeviceRequest }[] {
  if (exactly) return [{ name, ask: exactly }];
  return firstAvailable.map(sub => ({ name: `${name}/${sub.name}`, ask: sub }));
}

function fits(
  { driver, pool, device }: Located,
  claim: ResourceClaim,
  ask: ExactDeviceRequest,
  input: AllocationInput,
) {
  const cls = input.lookup.of('resource.k8s.io/v1/deviceclasses').get(ask.deviceClassName);
  if (!cls) return false;
  const selected = (owner: string, selectors: readonly DeviceSelector[] = []) =>
    selectors.every(({ cel }, i) => {
      try {
        return input.selectors(cel?.expression ?? '')(driver, device);
      } catch (error) {
        const at = `selector #${i} on device ${deviceId({ driver, pool, device: device.name })}`;
        throw new Error(`${owner}: ${at}: ${messageOf(error)}`);
      }
    });
  if (!selected(`class ${cls.metadata.name}`, cls.spec.selectors)) return false;
  if (!selected(`claim ${claim.metadata.namespace}/${claim.metadata.name}`, ask.selectors)) return false;
  if (!(device.taints ?? []).every(t => isTolerated(t, ask.tolerations ?? []))) return false;
  return Object.entries(ask.capacity?.requests ?? {}).every(([key, wanted]) => {
    const has = (device.capacity?.[key] ?? device.capacity?.[withoutDomain(key, driver)])?.value;
    return has !== undefined && unitsOf(has) >= unitsOf(wanted);
  });
}

const isTolerated = (taint: DeviceTaint, tolerations: readonly DeviceToleration[]) =>
  taint.effect === 'None' || tolerations.some(t => tolerates(t, taint));
/** A driver's own names may lack its domain. */
const withoutDomain = (name: string, driver: string) =>
  name.startsWith(`${driver}/`) ? name.slice(driver.length + 1) : name;

/** Whether the device may join those that the claim has already. */
function allows({ requests = [], matchAttribute }: DeviceConstraint, pick: Pick, own: readonly Pick[]): boolean {
  const concerns = ({ name }: Pick) =>
    requests.length === 0 || requests.includes(name) || requests.includes(name.split('/', 1)[0] ?? '');
  if (!concerns(pick)) return true;
  // A constraint of a kind that is not known here cannot be kept.
  if (matchAttribute === undefined) return false;
  const value = attributeOf(pick.located, matchAttribute);
  if (value === undefined) return false;
  const before = own.find(concerns);
  return !before || attributeOf(before.located, matchAttribute) === value;
}

function attributeOf({ device, driver }: Located, name: string): string | undefined {
  const attribute = device.attributes?.[name] ?? device.attributes?.[withoutDomain(name, driver)];
  return attribute && JSON.stringify(attribute);
}

function resultOf(claim: ResourceClaim, picks: readonly Pick[], { node, lookup }: AllocationInput): AllocationResult {
  const results = picks.map(({ name, ask, located: { driver, pool, device } }) => ({
    request: name,
    driver,
    pool,
    device: device.name,
    ...(ask.adminAccess && { adminAccess: true }),
    ...(ask.tolerations && { tolerations: ask.tolerations }),
  }));
  const asks = new Map(picks.map(({ name, ask }) => [name, ask]));
  const fromClass = [...asks].flatMap(([name, ask]) =>
    (lookup.of('resource.k8s.io/v1/deviceclasses').get(ask.deviceClassName)?.spec.config ?? []).map(c => ({
      ...c,
      source: 'FromClass',
      requests: [name],
    })),
  );
  const fromClaim = (claim.spec.devices?.config ?? []).map(c => ({ ...c, source: 'FromClaim' }));
  const config = [...fromClass, ...fromClaim];
  const here = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [node.name] }] };
  return {
    devices: { results, ...(config.length > 0 && { config }) },
    ...(picks.some(p => p.located.local) && { nodeSelector: { nodeSelectorTerms: [here] } }),
  };
}
