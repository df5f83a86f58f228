/** SHA-256 (FIPS 180-4) of UTF-8 text, in hex. For names; the host's own is asynchronous in portable code. */
export function sha256Hex(text: string): string {
  return [...sha256(new TextEncoder().encode(text))].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

export function sha256(message: Uint8Array): Uint8Array {
  const state = [...initial];
  const words = new Uint32Array(64);
  const bytes = padded(message);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + 4 * i);
    compress(state, words);
  }
  const out = new Uint8Array(32);
  for (const [i, word] of state.entries()) new DataView(out.buffer).setUint32(4 * i, word);
  return out;
}

/** HMAC-SHA-256 (RFC 2104). */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const pad = (byte: number, rest: Uint8Array) => {
    const whole = new Uint8Array(64 + rest.length);
    whole.set(block.map(b => b ^ byte));
    whole.set(rest, 64);
    return sha256(whole);
  };
  return pad(0x5c, pad(0x36, message));
}

function padded(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  out.set(message);
  out[message.length] = 0x80;
  new DataView(out.buffer).setBigUint64(out.length - 8, BigInt(message.length) * 8n);
  return out;
}

const rotate = (x: number, by: number) => (x >>> by) | (x << (32 - by));

function compress(state: number[], w: Uint32Array): void {
  const word = (i: number) => w[i] ?? 0;
  for (let i = 16; i < 64; i++) {
    const [x, y] = [word(i - 15), word(i - 2)];
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[i] = word(i - 16) + s0 + word(i - 7) + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const one = (h + s1 + ((e & f) ^ (~e & g)) + (constants[i] ?? 0) + word(i)) | 0;
    const two = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = ((state[i] ?? 0) + value) | 0;
}

/** The first 32 bits of the fractions of the primes' roots. */
const primes = Array.from({ length: 312 }, (_, i) => i).filter(
  n => n > 1 && !Array.from({ length: n }, (_, d) => d).some(d => d > 1 && n % d === 0),
);
const fraction = (x: number) => Math.floor((x - Math.floor(x)) * 2 ** 32);
const initial = primes.slice(0, 8).map(p => fraction(Math.sqrt(p)) | 0);
const constants = primes.map(p => fraction(Math.cbrt(p)) | 0);
