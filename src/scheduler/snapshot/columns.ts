/** Node resources in columns of numbers, one row per node. 64-bit floats hold every integer up to 2^53: bytes of 8 PiB. */
export interface ResourceColumn {
  readonly name: string;
  allocatable: Float64Array;
  requested: Float64Array;
}

export interface Columns {
  readonly cpu: ResourceColumn;
  readonly memory: ResourceColumn;
  /** What pods ask for, with the defaults for those that ask for nothing: for scoring. */
  nonZeroCpu: Float64Array;
  nonZeroMemory: Float64Array;
  pods: Int32Array;
  allowedPods: Int32Array;
  /** Changes with every change of the row. Never 0 for a row in use. */
  generation: Float64Array;
  /** Any resource; made on first use. */
  column(name: string): ResourceColumn;
  readonly byName: ReadonlyMap<string, ResourceColumn>;
  grow(capacity: number): void;
}

export function createColumns(capacity: number): Columns {
  let size = capacity;
  const byName = new Map<string, ResourceColumn>();
  const column = (name: string): ResourceColumn => {
    let found = byName.get(name);
    if (!found) {
      found = { name, allocatable: new Float64Array(size), requested: new Float64Array(size) };
      byName.set(name, found);
    }
    return found;
  };
  const columns: Columns = {
    cpu: column('cpu'),
    memory: column('memory'),
    nonZeroCpu: new Float64Array(size),
    nonZeroMemory: new Float64Array(size),
    pods: new Int32Array(size),
    allowedPods: new Int32Array(size),
    generation: new Float64Array(size),
    column,
    byName,
    grow(to) {
      size = to;
      for (const each of byName.values()) {
        each.allocatable = grown(each.allocatable, to);
        each.requested = grown(each.requested, to);
      }
      columns.nonZeroCpu = grown(columns.nonZeroCpu, to);
      columns.nonZeroMemory = grown(columns.nonZeroMemory, to);
      columns.generation = grown(columns.generation, to);
      columns.pods = grownInt(columns.pods, to);
      columns.allowedPods = grownInt(columns.allowedPods, to);
    },
  };
  return columns;
}

function grown(old: Float64Array, to: number): Float64Array {
  const next = new Float64Array(to);
  next.set(old);
  return next;
}
function grownInt(old: Int32Array, to: number): Int32Array {
  const next = new Int32Array(to);
  next.set(old);
  return next;
}
