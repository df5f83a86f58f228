import { type Cidr, cidrContains, parseCidr, parseIp } from '../../../../api/validation/ip.ts';
import type { Check } from '../../checks.ts';
import { field } from '../../field-errors.ts';

/** Endpoints may be by the ten thousand: what they are compared with is parsed once. */
const parsed = (...blocks: string[]): Cidr[] => blocks.flatMap(block => parseCidr(block) ?? []);

const ranges: readonly { blocks: readonly Cidr[]; complaint: (ip: string) => string }[] = [
  { blocks: parsed('0.0.0.0/32', '::/128'), complaint: ip => `may not be unspecified (${ip})` },
  {
    blocks: parsed('127.0.0.0/8', '::1/128'),
    complaint: () => 'may not be in the loopback range (127.0.0.0/8, ::1/128)',
  },
  {
    blocks: parsed('169.254.0.0/16', 'fe80::/10'),
    complaint: () => 'may not be in the link-local range (169.254.0.0/16, fe80::/10)',
  },
  {
    blocks: parsed('224.0.0.0/24', 'ff02::/16'),
    complaint: () => 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
  },
];

/** An address that can stand for one endpoint: not unspecified, loopback, link-local or link-local multicast. */
export const nonSpecialIp: Check<string> = (text, path) => {
  const ip = parseIp(text);
  if (!ip) return [field.invalid(path, text, 'must be a valid IP address')];
  return ranges
    .filter(({ blocks }) => blocks.some(block => cidrContains(block, ip)))
    .map(({ complaint }) => field.invalid(path, text, complaint(text)));
};
