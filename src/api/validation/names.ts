/**
 * Formats of names and short values, with upstream's complaints (k8s.io/apimachinery/pkg/util/validation and
 * pkg/api/validate/content of v1.35). Every check gives the list of complaints, empty when the value is fine.
 */

const encoder = new TextEncoder();
/** Length in UTF-8 bytes, as Go counts. */
export function byteLength(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return encoder.encode(text).length;
  return text.length;
}

/** Whether texts are longer than `max` bytes together. Counts bytes only where it could matter: a code unit takes three at most. */
export function longerThan(texts: readonly string[], max: number): boolean {
  const units = texts.reduce((sum, text) => sum + text.length, 0);
  return units * 3 > max && texts.reduce((sum, text) => sum + byteLength(text), 0) > max;
}

export const maxLengthError = (max: number) => `must be no more than ${max} characters`;
export const maxBytesError = (max: number) => `must be no more than ${max} bytes`;
export const emptyError = 'must be non-empty';
export const rangeError = (low: number, high: number) => `must be between ${low} and ${high}, inclusive`;

/** "message (e.g. 'a', or 'b', regex used for validation is '…')". */
export function regexError(message: string, pattern: string, ...examples: string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  const quoted = examples.map(example => `'${example}', `).join(' or ');
  return `${message} (e.g. ${quoted}regex used for validation is '${pattern}')`;
}

interface Format {
  readonly pattern: string;
  readonly regexp: RegExp;
  readonly complaint: string;
}
function format(pattern: string, message: string, ...examples: string[]): Format {
  return { pattern, regexp: new RegExp(`^(?:${pattern})$`), complaint: regexError(message, pattern, ...examples) };
}

const labelPattern = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsLabel = format(
  labelPattern,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  'my-name',
  '123-abc',
);
const subdomainPattern = `${labelPattern}(\\.${labelPattern})*`;
const dnsSubdomain = format(
  subdomainPattern,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  'example.com',
);
const underscoredLabel = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const underscoredSubdomain = format(
  `${underscoredLabel}(\\.${underscoredLabel})*`,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  'example.com',
);
const dns1035 = format(
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  'my-name',
  'abc-123',
);
const wildcard = format(
  `\\*\\.${subdomainPattern}`,
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  '*.example.com',
);
const keyPattern = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelKey = format(
  keyPattern,
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  'MyName',
  'my.name',
  '123-abc',
);
const labelValue = format(
  `(${keyPattern})?`,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  'MyValue',
  'my_value',
  '12345',
);
const cIdentifier = format(
  '[A-Za-z_][A-Za-z0-9_]*',
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  'my_name',
  'MY_NAME',
  'MyName',
);
const percent = format(
  '[0-9]+%',
  "a valid percent string must be a numeric string followed by an ending '%'",
  '1%',
  '93%',
);
const headerName = format(
  '[-A-Za-z0-9]+',
  "a valid HTTP header must consist of alphanumeric characters or '-'",
  'X-Header-Name',
);
const envVarName = format(
  '[-._a-zA-Z][-._a-zA-Z0-9]*',
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  'my.env-name',
  'MY_ENV.NAME',
  'MyEnvName1',
);
const configMapKey = format(
  '[-._a-zA-Z0-9]+',
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  'key.name',
  'KEY_NAME',
  'key-name',
);
const httpPath = format("[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+", 'Invalid path');

/** Two bounded checks: the length first, so that no pattern runs over a huge text. */
function check(value: string, max: number, shape: Format, tooLong = maxLengthError): string[] {
  if (value.length > 10 * max) return [tooLong(max), shape.complaint];
  const complaints: string[] = [];
  if (byteLength(value) > max) complaints.push(tooLong(max));
  if (!shape.regexp.test(value)) complaints.push(shape.complaint);
  return complaints;
}

/** RFC 1123 label: at most 63 characters, no dots. */
export function isDns1123Label(value: string): string[] {
  const complaints = check(value, 63, dnsLabel);
  const last = complaints.length - 1;
  if (complaints[last] === dnsLabel.complaint && value.length <= 630 && dnsSubdomain.regexp.test(value)) {
    complaints[last] = 'must not contain dots';
  }
  return complaints;
}
/** RFC 1123 subdomain: at most 253 characters. */
export const isDns1123Subdomain = (value: string): string[] => check(value, 253, dnsSubdomain);
export const isDns1123SubdomainWithUnderscore = (value: string): string[] => check(value, 253, underscoredSubdomain);
/** RFC 1035 label, as service names are: starts with a letter. */
export const isDns1035Label = (value: string): string[] => check(value, 63, dns1035);
export const isWildcardDns1123Subdomain = (value: string): string[] => check(value, 253, wildcard);
export const isLabelValue = (value: string): string[] => check(value, 63, labelValue, maxBytesError);
export const isCIdentifier = (value: string): string[] =>
  cIdentifier.regexp.test(value) ? [] : [cIdentifier.complaint];
export const isPercent = (value: string): string[] => (percent.regexp.test(value) ? [] : [percent.complaint]);
export const isHttpHeaderName = (value: string): string[] =>
  headerName.regexp.test(value) ? [] : [headerName.complaint];

/** A label or annotation key: `[prefix/]name`. */
export function isQualifiedName(value: string): string[] {
  const slash = value.indexOf('/');
  if (slash >= 0 && value.indexOf('/', slash + 1) >= 0) {
    return [
      `a valid label key ${labelKey.complaint} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const complaints: string[] = [];
  if (slash === 0) complaints.push(`prefix part ${emptyError}`);
  if (slash > 0) {
    const prefix = check(value.slice(0, slash), 253, dnsSubdomain, maxBytesError);
    complaints.push(...prefix.map(complaint => `prefix part ${complaint}`));
  }
  const name = value.slice(slash + 1);
  if (name === '') complaints.push(`name part ${emptyError}`, `name part ${labelKey.complaint}`);
  else complaints.push(...check(name, 63, labelKey, maxBytesError).map(complaint => `name part ${complaint}`));
  return complaints;
}
export const isLabelKey = isQualifiedName;

/** The path of a URL, as RFC 3986 has it. */
export const isHttpPath = (value: string): string[] => (httpPath.regexp.test(value) ? [] : [httpPath.complaint]);

/** At least three labels, as custom group names are. */
export function isFullyQualifiedName(value: string): string[] {
  const complaints = isDns1123Subdomain(value);
  if (complaints.length > 0) return [complaints.join(',')];
  return value.split('.').length < 3 ? ['should be a domain with at least three segments separated by dots'] : [];
}

export function isPortNumber(port: number): string[] {
  return Number.isInteger(port) && port >= 1 && port <= 65535 ? [] : [rangeError(1, 65535)];
}
export function isInRange(value: number, low: number, high: number): string[] {
  return value >= low && value <= high ? [] : [rangeError(low, high)];
}
export const isUserId = (id: number): string[] => isInRange(id, 0, 2147483647);
export const isGroupId = isUserId;

/** An IANA service name: at most 15 of `[-a-z0-9]`, at least one letter. */
export function isPortName(name: string): string[] {
  const complaints: string[] = [];
  if (byteLength(name) > 15) complaints.push(maxLengthError(15));
  if (!/^[-a-z0-9]+$/.test(name))
    complaints.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) complaints.push('must contain at least one letter (a-z)');
  if (name.includes('--')) complaints.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) complaints.push('must not begin or end with a hyphen');
  return complaints;
}

function parentDirectory(value: string): string[] {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
}
export function isEnvVarName(value: string): string[] {
  const complaints = envVarName.regexp.test(value) ? [] : [envVarName.complaint];
  return [...complaints, ...parentDirectory(value)];
}
/** What v1.35 checks by default: printable ASCII without '='. */
export function isRelaxedEnvVarName(value: string): string[] {
  if (value === '') return [`environment variable name ${emptyError}`];
  if (/^[\x20-\x3c\x3e-\x7e]+$/.test(value)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}
/** A key of a ConfigMap or Secret. */
export function isConfigMapKey(value: string): string[] {
  return [...check(value, 253, configMapKey), ...parentDirectory(value)];
}

/** A name that is one segment of a path. */
export function isPathSegmentName(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return isPathSegmentPrefix(name);
}
export function isPathSegmentPrefix(name: string): string[] {
  return ['/', '%'].filter(illegal => name.includes(illegal)).map(illegal => `may not contain '${illegal}'`);
}

/** What an object's name must be; `prefix` when it is a `generateName`, which may end in a dash. */
export type NameCheck = (name: string, prefix: boolean) => string[];

function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
}
const masked =
  (rule: (name: string) => string[]): NameCheck =>
  (name, prefix) =>
    rule(prefix ? maskTrailingDash(name) : name);
export const nameIsDnsSubdomain: NameCheck = masked(isDns1123Subdomain);
export const nameIsDnsLabel: NameCheck = masked(isDns1123Label);
export const nameIsDns1035Label: NameCheck = masked(isDns1035Label);
export const nameIsPathSegment: NameCheck = (name, prefix) =>
  prefix ? isPathSegmentPrefix(name) : isPathSegmentName(name);
