const few = 32;
const small = 1_024;
const blockSize = 16 << 10;

/** A body while it comes. Of many small pieces each would cost a hundred times its size: they are put together in blocks. */
export class Chunks {
  readonly #list: Buffer[] = [];
  #size = 0;
  #block: Buffer | undefined;
  #used = 0;

  get size(): number {
    return this.#size;
  }
  /** How many buffers are held. */
  get count(): number {
    return this.#list.length + (this.#block ? 1 : 0);
  }

  add(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#list.length >= few && chunk.length < small) this.#collect(chunk);
    else {
      this.#flush();
      this.#list.push(chunk);
    }
  }

  whole(): Buffer {
    this.#flush();
    const [first] = this.#list;
    return first && this.#list.length === 1 ? first : Buffer.concat(this.#list, this.#size);
  }

  /** Lets go of what came: its sender may keep the stream open. */
  clear(): void {
    this.#flush();
    this.#list.length = 0;
    this.#size = 0;
  }

  #collect(chunk: Buffer): void {
    if (this.#used + chunk.length > blockSize) this.#flush();
    this.#block ??= Buffer.allocUnsafeSlow(blockSize);
    this.#used += chunk.copy(this.#block, this.#used);
  }

  #flush(): void {
    if (this.#block) this.#list.push(this.#block.subarray(0, this.#used));
    this.#block = undefined;
    this.#used = 0;
  }
}
