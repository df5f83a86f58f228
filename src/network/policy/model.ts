/**
 * Network policies as data for one node: which of its pods are isolated, and what may reach or leave them. Pure. Semantics: networking.k8s.io/v1.
 */
import { type Labels, selectorFromObject } from '../../api/selectors/index.ts';
import type {
  LabelSelector,
  Namespace,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  Pod,
} from '../../api/types/index.ts';

export type Direction = 'ingress' | 'egress';
export type Family = 'ip' | 'ip6';

/** A range of ports of one protocol. */
export interface PortRange {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Absent: every port. */
  readonly from?: number;
  readonly to?: number;
}
export interface Block {
  readonly cidr: string;
  readonly except: readonly string[];
}
/** What one rule of a policy lets through: any of `peers` on any of `ports`. */
export interface Rule {
  /** Undefined: from or to anywhere. */
  readonly peers: { readonly pods: readonly string[]; readonly blocks: readonly Block[] } | undefined;
  /** Undefined: every port. */
  readonly ports: readonly PortRange[] | undefined;
  /** Named ports, resolved: destination address, protocol and number. */
  readonly named: readonly { readonly ip: string; readonly protocol: string; readonly port: number }[];
}
export interface CompiledPolicy {
  readonly key: string;
  readonly direction: Direction;
  readonly rules: readonly Rule[];
}
export interface PolicyState {
  readonly policies: readonly CompiledPolicy[];
  /** Address of an isolated pod of this node → keys of the policies that select it, by direction. */
  readonly isolated: Readonly<Record<Direction, ReadonlyMap<string, readonly string[]>>>;
}

export interface ClusterView {
  readonly policies: readonly NetworkPolicy[];
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  readonly nodeName: string;
}

type LabelMatcher = (labels: Labels) => boolean;

function matcherOf(selector: LabelSelector | undefined): LabelMatcher {
  const compiled = selectorFromObject(selector);
  return labels => compiled.matches(labels);
}

export const familyOf = (ip: string): Family => (ip.includes(':') ? 'ip6' : 'ip');

function addressesOf(pod: Pod): string[] {
  if (pod.spec.hostNetwork || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return [];
  const all = pod.status?.podIPs?.map(p => p.ip) ?? [];
  return all.length > 0 ? all : pod.status?.podIP ? [pod.status.podIP] : [];
}

export function compilePolicies(view: ClusterView): PolicyState {
  const podsIn = Map.groupBy(view.pods, pod => pod.metadata.namespace ?? '');
  const labelsOf = new Map(view.namespaces.map(ns => [ns.metadata.name, ns.metadata.labels ?? {}]));
  const compiled: CompiledPolicy[] = [];
  const isolated = { ingress: new Map<string, string[]>(), egress: new Map<string, string[]>() };
  for (const policy of view.policies) {
    const namespace = policy.metadata.namespace ?? '';
    const matches = matcherOf(policy.spec.podSelector);
    const selected = (podsIn.get(namespace) ?? []).filter(pod => matches(pod.metadata.labels ?? {}));
    const here = selected.filter(pod => pod.spec.nodeName === view.nodeName);
    if (here.length === 0) continue;
    const select = (peer: NetworkPolicyPeer) => selectPods(peer, namespace, podsIn, labelsOf);
    for (const direction of directionsOf(policy)) {
      const key = `${namespace}/${policy.metadata.name}`;
      compiled.push({ key, direction, rules: rulesOf(policy, direction, here, view.pods, select) });
      for (const ip of here.flatMap(addressesOf))
        isolated[direction].set(ip, [...(isolated[direction].get(ip) ?? []), key]);
    }
  }
  return { policies: compiled, isolated };
}

function directionsOf(policy: NetworkPolicy): Direction[] {
  const types = policy.spec.policyTypes ?? ['Ingress', ...(policy.spec.egress ? ['Egress'] : [])];
  return [
    ...(types.includes('Ingress') ? (['ingress'] as const) : []),
    ...(types.includes('Egress') ? (['egress'] as const) : []),
  ];
}

function rulesOf(
  policy: NetworkPolicy,
  direction: Direction,
  selected: readonly Pod[],
  all: readonly Pod[],
  select: (peer: NetworkPolicyPeer) => Pod[],
): Rule[] {
  const written =
    direction === 'ingress'
      ? (policy.spec.ingress ?? []).map(r => ({ peers: r.from, ports: r.ports }))
      : (policy.spec.egress ?? []).map(r => ({ peers: r.to, ports: r.ports }));
  return written.map(({ peers, ports }) => {
    const some = peers && peers.length > 0 ? peers : undefined;
    const chosen = some?.flatMap(peer => (peer.ipBlock ? [] : select(peer)));
    const blocks =
      some?.flatMap(peer => (peer.ipBlock ? [{ cidr: peer.ipBlock.cidr, except: peer.ipBlock.except ?? [] }] : [])) ??
      [];
    // A port's name means what the pod that receives calls it.
    const receivers = direction === 'ingress' ? selected : (chosen ?? all);
    return {
      peers: some && { pods: [...new Set((chosen ?? []).flatMap(addressesOf))].sort(), blocks },
      ports: ports && ports.length > 0 ? ports.flatMap(numericPort) : undefined,
      named: (ports ?? []).flatMap(port => namedPorts(port, receivers)),
    };
  });
}

const protocolOf = (text: string | undefined) => (text ?? 'TCP').toLowerCase() as PortRange['protocol'];

function numericPort(port: NetworkPolicyPort): PortRange[] {
  const protocol = protocolOf(port.protocol);
  if (port.port === undefined) return [{ protocol }];
  if (typeof port.port === 'string') return [];
  return [{ protocol, from: port.port, to: port.endPort ?? port.port }];
}

function namedPorts(
  port: NetworkPolicyPort,
  receivers: readonly Pod[],
): { ip: string; protocol: string; port: number }[] {
  if (typeof port.port !== 'string') return [];
  const protocol = protocolOf(port.protocol);
  return receivers.flatMap(pod => {
    const numbers = pod.spec.containers.flatMap(c =>
      (c.ports ?? [])
        .filter(p => p.name === port.port && protocolOf(p.protocol) === protocol)
        .map(p => p.containerPort),
    );
    return numbers.flatMap(number => addressesOf(pod).map(ip => ({ ip, protocol, port: number })));
  });
}

function selectPods(
  peer: NetworkPolicyPeer,
  own: string,
  podsIn: ReadonlyMap<string, readonly Pod[]>,
  labelsOf: ReadonlyMap<string, Record<string, string>>,
): Pod[] {
  const podMatches: LabelMatcher = peer.podSelector ? matcherOf(peer.podSelector) : () => true;
  const namespaces = peer.namespaceSelector ? namespacesMatching(matcherOf(peer.namespaceSelector), labelsOf) : [own];
  return namespaces.flatMap(namespace =>
    (podsIn.get(namespace) ?? []).filter(pod => podMatches(pod.metadata.labels ?? {})),
  );
}

function namespacesMatching(matches: LabelMatcher, labelsOf: ReadonlyMap<string, Record<string, string>>): string[] {
  return [...labelsOf].filter(([, labels]) => matches(labels)).map(([name]) => name);
}
