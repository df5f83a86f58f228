import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameQueue, inPieces, Piece } from './frame-queue.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Takes so many chunks before it is full. */
function sinkWith(room: number) {
  const written: Uint8Array[] = [];
  const sink = {
    left: room,
    written,
    write(chunk: Uint8Array) {
      written.push(chunk);
      sink.left -= 1;
      return sink.left > 0;
    },
    end: () => {},
  };
  return sink;
}

describe('pieces', () => {
  it('hold all frames in order, none much longer than a good write', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50_000), { maxLength: 40 }), sizes => {
        const frames = sizes.map((size, i) => new Uint8Array(size).fill(i));
        const pieces = inPieces(frames);
        assert.deepEqual(
          pieces.flatMap(p => p.frames),
          frames,
        );
        for (const piece of pieces) {
          assert.deepEqual(Buffer.from(piece.bytes), Buffer.concat(piece.frames));
          assert.ok(piece.bytes.length < (64 << 10) + 50_000);
        }
      }),
    );
  });
});

describe('a frame queue', () => {
  const frames = ['a', 'b', 'c'].map(name => utf8(name.repeat(40_000)));

  it('writes pieces while the sink takes them, keeps the frames of the rest, and goes on in order', () => {
    const queue = new FrameQueue(undefined, () => {});
    const sink = sinkWith(1);
    const { resume } = queue.attach(sink);
    resume();
    queue.pushPieces(inPieces(frames));
    queue.push(utf8('bookmark'));
    assert.equal(sink.written.length, 1);
    sink.left = 9;
    resume();
    assert.equal(
      textOf(Buffer.concat(sink.written)),
      `${'a'.repeat(40_000)}${'b'.repeat(40_000)}${'c'.repeat(40_000)}bookmark`,
    );
  });
  it('shares frames with others while nobody reads, and closes when that is too much', () => {
    let closed = 0;
    const queue = new FrameQueue(undefined, () => {
      closed += 1;
    });
    queue.attach(sinkWith(0));
    class Uncopied extends Piece {
      override get bytes(): never {
        throw new Error('nobody writes it');
      }
    }
    const frame = new Uint8Array(1 << 20);
    for (let i = 0; i < 17; i++) queue.pushPieces([new Uncopied([frame, frame], 2 << 20)]);
    assert.equal(closed, 1);
  });
});
