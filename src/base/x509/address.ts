/** IP addresses as bytes, as certificates carry them. */
import ipaddr from 'ipaddr.js';
import { DerError } from './der.ts';

/** Four or sixteen bytes. Throws DerError for text that is not an address. */
export function encodeAddress(text: string): Uint8Array {
  if (!ipaddr.isValid(text)) throw new DerError(`not an IP address: ${text}`);
  return Uint8Array.from(ipaddr.parse(text).toByteArray());
}

export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length !== 4 && bytes.length !== 16) throw new DerError('not an IP address');
  return ipaddr.fromByteArray(Array.from(bytes)).toString();
}
