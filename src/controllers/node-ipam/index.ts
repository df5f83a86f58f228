/** Gives each node its share of the cluster's pod ranges (pkg/controller/nodeipam of upstream, range allocator). */
import { keyOf } from '../../api/object.ts';
import type { Node } from '../../api/types/index.ts';
import { isNotFound } from '../../base/errors.ts';
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
    account: 'node-controller',
    setUp({ client, informers, recorder }) {
      const nodes = informers.informer('v1/nodes');
      const shares = createShares(ranges);
      nodes.addHandler({
        onAdd: node => shares.take(node.metadata.name, cidrsOf(node)),
        onUpdate: node => shares.take(node.metadata.name, cidrsOf(node)),
        onDelete: node => shares.release(node.metadata.name),
      });

      /** What the server has by now: an earlier attempt may have taken effect though its answer was lost. */
      async function present(name: string): Promise<Node | undefined> {
        return client
          .nodes()
          .get(name)
          .catch(e => {
            if (isNotFound(e)) return undefined;
            throw e;
          });
      }

      return {
        sources: [watch<'v1/nodes'>(nodes, node => (cidrsOf(node).length === 0 ? [keyOf(node)] : []))],
        // One at a time: two nodes must not get the same share.
        concurrency: 1,
        async reconcile(name) {
          const cached = nodes.store.get(name);
          if (!cached || cidrsOf(cached).length > 0 || ranges.length === 0) return;
          const node = shares.of(name) ? await present(name) : cached;
          if (!node || cidrsOf(node).length > 0) return;
          const podCIDRs = shares.of(name) ?? shares.assume(name);
          if (!podCIDRs) {
            recorder.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
            throw new Error('no free pod range is left');
          }
          const { uid } = node.metadata;
          await client
            .nodes()
            .patch(name, 'strategic', { metadata: { uid }, spec: { podCIDR: podCIDRs[0], podCIDRs } });
        },
      };
    },
  };
}

/** Who has which part of the ranges. What was assumed for a node stays its own until the node is gone or says otherwise. */
function createShares(ranges: readonly ClusterRange[]) {
  const owned = new Map<string, readonly string[]>();
  const busy = ranges.map(() => new Map<number, number>());
  const next = ranges.map(() => 0);

  function count(cidrs: readonly string[], by: number): void {
    for (const [r, range] of ranges.entries()) {
      const counts = busy[r];
      for (const cidr of cidrs) {
        const span = indicesOf(range, cidr);
        if (!span || !counts) continue;
        for (let i = span.first; i <= span.last; i++) {
          const users = (counts.get(i) ?? 0) + by;
          if (users > 0) counts.set(i, users);
          else counts.delete(i);
        }
      }
    }
  }
  /** The next free one after the last given out, so that a range comes into use again as late as it can. */
  function free(range: ClusterRange, r: number): string | undefined {
    const capacity = capacityOf(range);
    const start = next[r] ?? 0;
    for (let step = 0; step < capacity; step++) {
      const i = (start + step) % capacity;
      if (busy[r]?.has(i)) continue;
      next[r] = (i + 1) % capacity;
      return shareOf(range, i);
    }
    return undefined;
  }
  function release(name: string): void {
    count(owned.get(name) ?? [], -1);
    owned.delete(name);
  }
  return {
    of: (name: string) => owned.get(name),
    release,
    /** A node without ranges of its own keeps what was assumed for it. */
    take(name: string, cidrs: readonly string[]): void {
      if (cidrs.length === 0) return;
      release(name);
      owned.set(name, cidrs);
      count(cidrs, 1);
    },
    /** Undefined when a range is used up. */
    assume(name: string): readonly string[] | undefined {
      const cidrs = ranges.map(free);
      const found = cidrs.filter(cidr => cidr !== undefined);
      if (found.length < ranges.length) return undefined;
      owned.set(name, found);
      count(found, 1);
      return found;
    },
  };
}
