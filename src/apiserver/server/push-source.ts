/** A stream of bytes that can also be pushed into a sink, for adapters that know how. */

export interface ByteSink {
  /** False: the sink is full; nothing more is written until `resume`. */
  write(chunk: Uint8Array): boolean;
  end(): void;
}

export interface PushSource extends AsyncIterable<Uint8Array> {
  /** Takes the stream over: the iterator must not be used besides. Writing begins with the first `resume`. */
  attach(sink: ByteSink): { resume(): void; cancel(): void };
}

export function isPushSource(source: AsyncIterable<Uint8Array>): source is PushSource {
  return 'attach' in source && typeof source.attach === 'function';
}
