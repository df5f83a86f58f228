/** Encodes replies with records of the question's own name pointing at it (RFC 1035, 4.1.4), so that three times as many fit a datagram. */
import { type Answer, encode, type Packet } from 'dns-packet';

const headerBytes = 12;
const truncated = 0x0200;
/** A pointer to the first byte behind the header, where the question's name stands. */
const pointer = Buffer.from([0xc0, headerBytes]);

export interface Encoded {
  readonly bytes: Buffer;
  readonly isTruncated: boolean;
  /** Where address records of one size stand next to each other from the start of the answers on, when there are several. */
  readonly addresses?: AddressBlock;
}

export interface AddressBlock {
  readonly start: number;
  /** Bytes of a record. */
  readonly size: number;
  readonly count: number;
}

export const encodeCompact = (packet: Packet): Buffer => encodeWithin(packet, Number.POSITIVE_INFINITY).bytes;

/**
 * At most `room` bytes. What is only helpful goes first; then answers, and the reply is marked truncated. Some are kept: clients that never ask
 * again over TCP take those.
 */
export function encodeWithin(packet: Packet, room: number): Encoded {
  const { answers = [], authorities = [], additionals = [], ...head } = packet;
  const name = packet.questions?.[0]?.name;
  const start = Buffer.from(encode({ ...head, answers: [], authorities: [], additionals: [] }));
  const encodeAll = (list: readonly Answer[]) => list.map(record => recordBytes(record, name));
  const [options, helpful] = [
    encodeAll(additionals.filter(isOption)),
    encodeAll(additionals.filter(r => !isOption(r))),
  ];
  let left = room - start.length - sizeOf(options);
  const kept: Buffer[] = [];
  for (const record of answers) {
    const bytes = recordBytes(record, name);
    left -= bytes.length;
    if (left < 0) break;
    kept.push(bytes);
  }
  const isTruncated = kept.length < answers.length;
  const proofs = isTruncated ? [] : encodeAll(authorities);
  const fits = !isTruncated && sizeOf(proofs) <= left;
  const more = fits && sizeOf(proofs) + sizeOf(helpful) <= left ? helpful : [];
  if (isTruncated || !fits) start.writeUInt16BE(start.readUInt16BE(2) | truncated, 2);
  const last = [...(fits ? proofs : []), ...more, ...options];
  start.writeUInt16BE(kept.length, 6);
  start.writeUInt16BE(fits ? proofs.length : 0, 8);
  start.writeUInt16BE(more.length + options.length, 10);
  const addresses = addressBlock(answers, kept, start.length);
  return {
    bytes: Buffer.concat([start, ...kept, ...last]),
    isTruncated: isTruncated || !fits,
    ...(addresses && { addresses }),
  };
}

const isOption = (record: Answer) => record.type === 'OPT';
const sizeOf = (list: readonly Buffer[]) => list.reduce((sum, bytes) => sum + bytes.length, 0);

function addressBlock(answers: readonly Answer[], kept: readonly Buffer[], start: number): AddressBlock | undefined {
  const [first] = answers;
  const size = kept[0]?.length ?? 0;
  const isAddress = first?.type === 'A' || first?.type === 'AAAA';
  if (!isAddress || kept.length < 2 || !answers.every(record => record.type === first.type)) return undefined;
  return kept.every(bytes => bytes.length === size) ? { start, size, count: kept.length } : undefined;
}

function recordBytes(record: Answer, questionName: string | undefined): Buffer {
  const alone = encode({ type: 'response', answers: [record] }).subarray(headerBytes);
  if (questionName === undefined || questionName === '' || record.name !== questionName) return alone;
  let end = 0;
  while (alone[end]) end += (alone[end] ?? 0) + 1;
  return Buffer.concat([pointer, alone.subarray(end + 1)]);
}
