/** Where chance comes from. Never `Math.random`, so that a run can be replayed from its seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  bytes(length: number): Uint8Array;
}

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
/** Where the groups of a UUID's bytes begin and end. */
const groups = [
  [0, 4],
  [4, 6],
  [6, 8],
  [8, 10],
  [10, 16],
] as const;

/** A version 4 UUID. */
export function uuid(random: Random): string {
  const b = random.bytes(16);
  b[6] = ((b[6] ?? 0) & 0x0f) | 0x40;
  b[8] = ((b[8] ?? 0) & 0x3f) | 0x80;
  // Joined rather than added up: the engine encodes an object twice as fast when its texts are in one piece.
  return groups
    .map(([start, end]) => {
      let text = '';
      for (let i = start; i < end; i++) text += hexOfByte[b[i] as number];
      return text;
    })
    .join('-');
}

/** Lower-case letters without vowels, and digits: what generateName and pod-template hashes use. */
export function nameSuffix(random: Random, length = 5): string {
  let out = '';
  for (let i = 0; i < length; i++) out += suffixAlphabet[random.int(suffixAlphabet.length)];
  return out;
}

/** Maps text to the alphabet of `nameSuffix` (upstream's SafeEncodeString). */
export function safeEncode(text: string): string {
  return Array.from(text, c => suffixAlphabet[c.charCodeAt(0) % suffixAlphabet.length]).join('');
}

/** Asking the host costs microseconds whatever the amount, so bytes are fetched in advance, and wiped when handed out. */
const pool = new Uint8Array(4096);
let used = pool.length;

function pooledBytes(length: number): Uint8Array {
  if (length > pool.length / 4) return crypto.getRandomValues(new Uint8Array(length));
  if (used + length > pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  const out = pool.slice(used, used + length);
  pool.fill(0, used, used + length);
  used += length;
  return out;
}

/** Cryptographically strong, from the host. */
export const systemRandom: Random = {
  next: () => {
    const words = new Uint32Array(pooledBytes(8).buffer);
    return ((words[0] ?? 0) * 2 ** 21 + ((words[1] ?? 0) >>> 11)) / 2 ** 53;
  },
  int: n => Math.floor(systemRandom.next() * n),
  bytes: pooledBytes,
};

/** xoshiro128** from a seed: the same seed gives the same sequence everywhere. */
export function seededRandom(seed: number): Random {
  let x = seed >>> 0;
  const mix = () => {
    x = (x + 0x9e3779b9) >>> 0;
    let z = x;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let [a, b, c, d] = [mix(), mix(), mix(), mix()];
  const rotl = (v: number, k: number) => ((v << k) | (v >>> (32 - k))) >>> 0;
  const next32 = () => {
    const result = Math.imul(rotl(Math.imul(b, 5) >>> 0, 7), 9) >>> 0;
    const t = (b << 9) >>> 0;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d >>> 0, 11);
    return result;
  };
  const random: Random = {
    next: () => next32() / 2 ** 32,
    int: n => Math.floor(random.next() * n),
    bytes: length => Uint8Array.from({ length }, () => next32() & 0xff),
  };
  return random;
}
