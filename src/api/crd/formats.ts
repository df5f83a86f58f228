/** The string formats that v1.35 checks in custom resources; other formats are ignored. */
import { fromBase64 } from '../codec/base64.ts';

const label = '[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?';
const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ipv4 = new RegExp(`^${octet}(?:\\.${octet}){3}$`);
const hex4 = '[0-9a-fA-F]{1,4}';

function isIpv6(text: string): boolean {
  const last = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (last) return ipv4.test(last[2] ?? '') && isIpv6(`${last[1]}0:0`);
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return false;
  const groups = halves.flatMap(h => (h === '' ? [] : h.split(':')));
  if (!groups.every(g => new RegExp(`^${hex4}$`).test(g))) return false;
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8;
}

function isCidr(text: string): boolean {
  const match = /^(.+)\/(\d{1,3})$/.exec(text);
  if (!match) return false;
  const [, address = '', prefix = ''] = match;
  if (prefix.length > 1 && prefix.startsWith('0')) return false;
  return (ipv4.test(address) && Number(prefix) <= 32) || (isIpv6(address) && Number(prefix) <= 128);
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[- ]/g, '');
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = Array.from(digits).reduce((s, c, i) => s + (10 - i) * (c === 'X' ? 10 : Number(c)), 0);
  return sum % 11 === 0;
}
function isIsbn13(text: string): boolean {
  const digits = text.replace(/[- ]/g, '');
  if (!/^\d{13}$/.test(digits)) return false;
  return Array.from(digits).reduce((s, c, i) => s + (i % 2 === 0 ? 1 : 3) * Number(c), 0) % 10 === 0;
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (!match) return false;
  const time = Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  return Number(match[1]) < 100 || new Date(time).toISOString().startsWith(text);
}
function isDateTime(text: string): boolean {
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)$/.exec(text);
  if (!match || !isDate(match[1] ?? '')) return false;
  return Number(match[2]) < 24 && Number(match[3]) < 60 && Number(match[4]) < 60;
}
function isBase64(text: string): boolean {
  try {
    fromBase64(text);
    return true;
  } catch {
    return false;
  }
}
function isUri(text: string): boolean {
  return text.startsWith('/') || (/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) && URL.canParse(text));
}
const uuid = (third: string, fourth: string) =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${fourth}-?[0-9a-f]{12}$`, 'i');
const matches = (pattern: RegExp) => (text: string) => pattern.test(text);
const shortName = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const seconds = '(?:ns|us|µs|μs|ms|s|m|h)';
const scalaUnits =
  '(?:nano|micro|milli)?(?:second|sec)s?|nanos?|micros?|millis?|minutes?|mins?|hours?|hrs?|days?|d|weeks?|w';

const checks: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  uri: isUri,
  email: matches(/^(?:[^<>@\s][^<>@]*<)?[^<>@\s]+@[^<>@\s]+>?$/),
  hostname: text => text.length <= 255 && new RegExp(`^${label}(?:\\.${label})*$`).test(text),
  ipv4: matches(ipv4),
  ipv6: isIpv6,
  cidr: isCidr,
  mac: matches(/^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})$/i),
  uuid: matches(uuid('[0-9a-f]{4}', '[0-9a-f]{4}')),
  uuid3: matches(uuid('3[0-9a-f]{3}', '[0-9a-f]{4}')),
  uuid4: matches(uuid('4[0-9a-f]{3}', '[89ab][0-9a-f]{3}')),
  uuid5: matches(uuid('5[0-9a-f]{3}', '[89ab][0-9a-f]{3}')),
  isbn: text => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: text =>
    /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/.test(
      text.replace(/\D/g, ''),
    ),
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(new RegExp(`^rgb\\(\\s*${octet}\\s*,\\s*${octet}\\s*,\\s*${octet}\\s*\\)$`)),
  byte: isBase64,
  password: () => true,
  date: isDate,
  duration: matches(
    new RegExp(`^(?:0|[-+]?(?:(?:\\d+(?:\\.\\d*)?|\\.\\d+)${seconds})+|\\d+\\s*(?:${scalaUnits}|${seconds}))$`),
  ),
  datetime: isDateTime,
  'date-time': isDateTime,
  'k8s-short-name': text => text.length <= 63 && shortName.test(text),
  'k8s-long-name': text => text.length <= 253 && text.split('.').every(part => shortName.test(part)),
};

/** Whether a string has the format; true for formats that are not known. */
export function hasFormat(text: string, format: string): boolean {
  const check = Object.hasOwn(checks, format) ? checks[format] : undefined;
  return check ? check(text) : true;
}

export const isKnownFormat = (format: string): boolean =>
  Object.hasOwn(checks, format) || Object.hasOwn(checks, format.replaceAll('-', ''));
