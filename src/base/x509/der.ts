/** The part of ASN.1 DER (X.690) that certificates and certificate requests need. Works on bytes from strangers: never reads out of bounds. */

/** Thrown for bytes that are not the DER that was expected. */
export class DerError extends Error {}

export interface DerValue {
  /** Class, constructed bit and number as they stand in the first byte. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** Header and content. */
  readonly raw: Uint8Array;
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  nullValue: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmp: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

const tooLong = 0xffff_ffff;

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export const der = {
  value(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
    const body = concat(content);
    return concat([Uint8Array.from([tag, ...lengthBytes(body.length)]), body]);
  },
  sequence: (...items: readonly Uint8Array[]) => der.value(tags.sequence, ...items),
  set: (...items: readonly Uint8Array[]) => der.value(tags.set, ...items),
  /** [n], constructed. */
  explicit: (n: number, ...items: readonly Uint8Array[]) => der.value(0xa0 | n, ...items),
  /** [n] IMPLICIT over a primitive type. */
  implicit: (n: number, bytes: Uint8Array) => der.value(0x80 | n, bytes),
  boolean: (v: boolean) => der.value(tags.boolean, Uint8Array.of(v ? 0xff : 0)),
  /** From big-endian magnitude bytes of a non-negative number. */
  unsigned(magnitude: Uint8Array): Uint8Array {
    let start = 0;
    while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
    const bytes = magnitude.subarray(start);
    return der.value(tags.integer, (bytes[0] ?? 0) & 0x80 ? concat([Uint8Array.of(0), bytes]) : bytes);
  },
  small: (n: number) => der.value(tags.integer, Uint8Array.of(n)),
  octets: (bytes: Uint8Array) => der.value(tags.octetString, bytes),
  bits: (bytes: Uint8Array, unused = 0) => der.value(tags.bitString, Uint8Array.of(unused), bytes),
  utf8: (text: string) => der.value(tags.utf8, new TextEncoder().encode(text)),
  oid(dotted: string): Uint8Array {
    const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
    const bytes: number[] = [];
    for (const arc of [first * 40 + second, ...rest]) {
      const group = [arc & 0x7f];
      for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
        group.unshift((left & 0x7f) | 0x80);
      bytes.push(...group);
    }
    return der.value(tags.oid, Uint8Array.from(bytes));
  },
  /** UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5). `ms` since the epoch. */
  time(ms: number): Uint8Array {
    const digits = new Date(ms)
      .toISOString()
      .replace(/\.\d+Z$/, 'Z')
      .replace(/[-:T]/g, '');
    const utc = Number(digits.slice(0, 4)) < 2050;
    return der.value(
      utc ? tags.utcTime : tags.generalizedTime,
      new TextEncoder().encode(utc ? digits.slice(2) : digits),
    );
  },
};

/** Reads one value at `offset`; `raw.length` tells how far it went. Throws DerError. */
export function readDer(bytes: Uint8Array, offset = 0): DerValue {
  const tag = bytes[offset];
  let length = bytes[offset + 1];
  if (tag === undefined || length === undefined) throw new DerError('unexpected end');
  if ((tag & 0x1f) === 0x1f) throw new DerError('long tags are not supported');
  let at = offset + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4) throw new DerError('unsupported length');
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? tooLong);
  }
  if (at + length > bytes.length) throw new DerError('length exceeds the data');
  return { tag, content: bytes.subarray(at, at + length), raw: bytes.subarray(offset, at + length) };
}

/** The values inside a constructed value. */
export function childrenOf(value: DerValue): DerValue[] {
  const out: DerValue[] = [];
  for (let at = 0; at < value.content.length; ) {
    const child = readDer(value.content, at);
    out.push(child);
    at += child.raw.length;
  }
  return out;
}

/** One whole value that must have this tag, with nothing behind it. */
export function expectDer(bytes: Uint8Array, tag: number): DerValue {
  const value = readDer(bytes);
  if (value.tag !== tag || value.raw.length !== bytes.length) throw new DerError('unexpected structure');
  return value;
}

/** The child at `index`, which must have this tag. */
export function childAt(children: readonly DerValue[], index: number, tag?: number): DerValue {
  const child = children[index];
  if (!child || (tag !== undefined && child.tag !== tag)) throw new DerError('unexpected structure');
  return child;
}

export function readOid(value: DerValue): string {
  if (value.tag !== tags.oid || value.content.length === 0) throw new DerError('not an object identifier');
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of value.content) {
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerError('object identifier too large');
    if (byte & 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [head = 0, ...rest] = arcs;
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join('.');
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DerError('not UTF-8');
  }
}

export function readText(value: DerValue): string {
  switch (value.tag) {
    case tags.utf8:
      return decodeUtf8(value.content);
    case tags.printable:
    case tags.ia5:
    case tags.teletex:
      return String.fromCharCode(...value.content);
    case tags.bmp:
      return new TextDecoder('utf-16be').decode(value.content);
    default:
      throw new DerError('not a string');
  }
}

/** Milliseconds since the epoch. */
export function readTime(value: DerValue): number {
  const text = String.fromCharCode(...value.content);
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  if (!match || (value.tag !== tags.utcTime && value.tag !== tags.generalizedTime)) throw new DerError('not a time');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const full = value.tag === tags.utcTime ? (year < 50 ? 2000 + year : 1900 + year) : year;
  return Date.UTC(full, month - 1, day, hour, minute, second);
}

const pemLine = 64;

export function toPem(label: string, bytes: Uint8Array): string {
  let binary = '';
  for (const b of bytes) binary += String.fromCharCode(b);
  const base64 = btoa(binary);
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += pemLine) lines.push(base64.slice(at, at + pemLine));
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

export interface PemBlock {
  readonly label: string;
  readonly bytes: Uint8Array;
  /** It has lines of the form "Key: value" before its content. */
  readonly headers: boolean;
}

/** Every PEM block of the text. Throws DerError for a block that is not base64. */
export function fromPem(text: string): PemBlock[] {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----\r?\n([^-]*)-----END \1-----/g);
  return Array.from(blocks, ([, label = '', body = '']) => {
    const base64 = body
      .split('\n')
      .filter(line => !line.includes(':'))
      .join('')
      .replace(/\s+/g, '');
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0)
      throw new DerError('PEM block is not base64');
    return { label, bytes: Uint8Array.from(atob(base64), c => c.charCodeAt(0)), headers: body.includes(':') };
  });
}
