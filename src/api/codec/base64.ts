/** Standard base64, by the engine's own functions where it has them. */
interface Base64Bytes {
  toBase64?(): string;
}
interface Base64Constructor {
  fromBase64?(text: string): Uint8Array;
}

/** @throws on text that is not base64 */
export function fromBase64(text: string): Uint8Array {
  const native = (Uint8Array as unknown as Base64Constructor).fromBase64;
  if (native) return native.call(Uint8Array, text);
  return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}

export function toBase64(bytes: Uint8Array): string {
  const native = (bytes as unknown as Base64Bytes).toBase64;
  if (native) return native.call(bytes);
  let binary = '';
  for (const b of bytes) binary += String.fromCharCode(b);
  return btoa(binary);
}
