/** Domains of one topology key: values of a node label, numbered. */
export interface Topology {
  readonly key: string;
  /** By row: the domain's id, or -1 for a node without the label. */
  readonly domainOf: Int32Array;
  /** Domain ids are below this. */
  readonly size: number;
  readonly idOf: ReadonlyMap<string, number>;
}

export function buildTopology(
  key: string,
  capacity: number,
  order: Int32Array,
  labelsOf: (row: number) => Readonly<Record<string, string>>,
): Topology {
  const domainOf = new Int32Array(capacity).fill(-1);
  const idOf = new Map<string, number>();
  for (const row of order) {
    const value = labelsOf(row)[key];
    if (value === undefined) continue;
    let id = idOf.get(value);
    if (id === undefined) {
      id = idOf.size;
      idOf.set(value, id);
    }
    domainOf[row] = id;
  }
  return { key, domainOf, size: idOf.size, idOf };
}
