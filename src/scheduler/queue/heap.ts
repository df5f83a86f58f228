/** A binary heap. Entries that became void are dropped when they come up. */
export interface Heap<T> {
  push(item: T): void;
  pop(): T | undefined;
  peek(): T | undefined;
  readonly size: number;
}

export function createHeap<T>(before: (a: T, b: T) => boolean, isValid: (item: T) => boolean): Heap<T> {
  const items: T[] = [];
  function removeTop(): void {
    const last = items.pop() as T;
    if (items.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1] as T, items[child] as T)) child++;
      if (!before(items[child] as T, last)) break;
      items[i] = items[child] as T;
      i = child;
    }
    items[i] = last;
  }
  function top(): T | undefined {
    while (items.length > 0 && !isValid(items[0] as T)) removeTop();
    return items[0];
  }
  return {
    push(item) {
      let i = items.length;
      items.push(item);
      while (i > 0) {
        const parent = (i - 1) >> 1;
        if (!before(item, items[parent] as T)) break;
        items[i] = items[parent] as T;
        i = parent;
      }
      items[i] = item;
    },
    pop() {
      const item = top();
      if (item !== undefined) removeTop();
      return item;
    },
    peek: top,
    get size() {
      return items.length;
    },
  };
}
