/** Gives each node its share of the cluster's pod ranges (pkg/controller/nodeipam of upstream, range allocator). */
import { keyOf } from '../../api/object.ts';
import type { Node } from '../../api/types/index.ts';
import { type Controller, watch } from '../../controller/contract.ts';
import { type ClusterRange, capacityOf, clusterRange, indicesOf, shareOf } from './ranges.ts';

export interface NodeIpamOptions {
  /** One range per family, the primary family first. */
  readonly clusterCidrs: readonly string[];
  readonly nodeCidrMaskSizeIpv4?: number;
  readonly nodeCidrMaskSizeIpv6?: number;
}

const cidrsOf = (node: Node) => node.spec.podCIDRs ?? (node.spec.podCIDR ? [node.spec.podCIDR] : []);

export function nodeIpamController(options: NodeIpamOptions): Controller {
  const ranges = options.clusterCidrs.map(cidr =>
    clusterRange(cidr, cidr.includes(':') ? options.nodeCidrMaskSizeIpv6 : options.nodeCidrMaskSizeIpv4),
  );
  return {
    name: 'node-ipam-controller',
    setUp({ client, informers, recorder }) {
      const nodes = informers.informer('v1/nodes');
      /** Given to nodes whose update the cache does not show yet. */
      const assumed = new Map<string, string[]>();

      function taken(): string[] {
        for (const [name] of assumed) {
          const node = nodes.store.get(name);
          if (!node || cidrsOf(node).length > 0) assumed.delete(name);
        }
        return [...nodes.store.list().flatMap(cidrsOf), ...[...assumed.values()].flat()];
      }

      return {
        sources: [watch<'v1/nodes'>(nodes, node => (cidrsOf(node).length === 0 ? [keyOf(node)] : []))],
        // One at a time: two nodes must not get the same share.
        concurrency: 1,
        async reconcile(name) {
          const node = nodes.store.get(name);
          if (!node || cidrsOf(node).length > 0 || assumed.has(name) || ranges.length === 0) return;
          const used = taken();
          const shares = ranges.map(range => firstFree(range, used));
          if (shares.some(share => share === undefined)) {
            recorder.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
            throw new Error('no free pod range is left');
          }
          const podCIDRs = shares.filter(share => share !== undefined);
          assumed.set(name, podCIDRs);
          try {
            await client.nodes().patch(name, 'strategic', {
              metadata: { uid: node.metadata.uid },
              spec: { podCIDR: podCIDRs[0], podCIDRs },
            });
          } catch (error) {
            assumed.delete(name);
            throw error;
          }
        },
      };
    },
  };
}

function firstFree(range: ClusterRange, used: readonly string[]): string | undefined {
  const busy = new Set<number>();
  for (const cidr of used) {
    const span = indicesOf(range, cidr);
    if (span) for (let i = span.first; i <= span.last; i++) busy.add(i);
  }
  for (let i = 0; i < capacityOf(range); i++) if (!busy.has(i)) return shareOf(range, i);
  return undefined;
}
