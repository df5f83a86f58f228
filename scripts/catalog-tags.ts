/**
 * Reads the facts that only the Go types carry (order of fields, protobuf numbers, inlined structs, pointers, omitempty, and the defaults
 * and enumerations of their markers) and writes scripts/catalog-tags.json, an input of scripts/catalog.ts.
 *
 *   sh bin/node scripts/catalog-tags.ts FOLDER
 *
 * FOLDER holds release-1.35 of kubernetes/api, apimachinery, apiextensions-apiserver and kube-aggregator, under these names.
 * Rows: [JSON name, protobuf number, flags, markers]; flag "p" is a pointer, "o" is omitempty; markers may be absent. An inlined struct
 * is ["", number, type].
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Markers {
  /** Of the field, or of its items. */
  enum?: string[];
  default?: unknown;
}
type Row = [name: string, number: number, flags: string, markers?: Markers];

const folder = process.argv[2];
if (!folder) throw new Error('usage: catalog-tags.ts FOLDER');

const patterns = [
  'api/*/v1/types.go',
  'api/*/v2/types.go',
  'api/admissionregistration/v1beta1/types.go',
  'apimachinery/pkg/apis/meta/v1/types.go',
  'apimachinery/pkg/apis/meta/v1/watch.go',
  'apimachinery/pkg/apis/meta/v1/group_version.go',
  'apiextensions-apiserver/pkg/apis/apiextensions/v1/types*.go',
  'kube-aggregator/pkg/apis/apiregistration/v1/types.go',
];

/** Values of the string types that are marked as enumerations, by "group.version.Type". */
const enums: Record<string, string[]> = {};

function collectEnums(source: string, prefix: string): void {
  for (const [comment = '', type = ''] of source.matchAll(/(?:^\/\/.*\n)+type (\w+) string$/gm))
    if (/^\/\/ ?\+enum\s*$/m.test(comment)) enums[`${prefix}.${type}`] = [];
}

const constants: Record<string, string> = {};
/** `Name Type = "value"`, `Name = Type("value")` and `Name = Type(core.Constant)`. */
const constant = /^(?:const|\t)\s*(\w+)(?:\s+(\w+))?\s*=\s*(?:(\w+)\()?(?:"([^"]*)"|v1\.(\w+))/gm;

function collectValues(source: string, prefix: string): void {
  for (const [, name = '', declared, converted, text, other = ''] of source.matchAll(constant)) {
    const value = text ?? constants[`core.v1.${other}`];
    if (value === undefined) continue;
    constants[`${prefix}.${name}`] = value;
    enums[`${prefix}.${declared ?? converted}`]?.push(value);
  }
}

/** The default that the comments above a field give, as JSON or by a constant's name. */
function defaultIn(comments: readonly string[], prefix: string): unknown {
  const text = comments.map(line => /^\s*\/\/ \+default=(.*)$/.exec(line)?.[1]).find(found => found !== undefined);
  if (text === undefined) return undefined;
  const name = /^ref\((\w+)\)$/.exec(text)?.[1];
  return name === undefined ? JSON.parse(text) : constants[`${prefix}.${name}`];
}

const packages: Record<string, string> = { v1: 'core.v1', corev1: 'core.v1', metav1: 'meta.v1' };

function enumOf(type: string, prefix: string): string[] | undefined {
  const [name = '', alias] = type
    .replace(/^(\*|\[\]|map\[string\])+/, '')
    .split('.')
    .reverse();
  const found = enums[`${alias === undefined ? prefix : packages[alias]}.${name}`];
  return found && [...new Set(found)].sort();
}

function rowOf(line: string, prefix: string): Row | undefined {
  const match = /^\t(?:\w+\s+)?([\w.*[\]]+(?:\[[\w.]+\][\w.*[\]]+)?)\s+`([^`]*)`/.exec(line);
  if (!match) return undefined;
  const [, type = '', tags = ''] = match;
  const json = /json:"([^"]*)"/.exec(tags)?.[1];
  if (json === undefined || json === '-') return undefined;
  const number = Number(/protobuf:"\w+,(\d+)/.exec(tags)?.[1] ?? 0);
  const [name = '', ...options] = json.split(',');
  if (name === '') return type.endsWith('TypeMeta') ? undefined : ['', number, `${prefix}.${type.split('.').pop()}`];
  const values = enumOf(type, prefix);
  const flags = `${type.startsWith('*') ? 'p' : ''}${options.includes('omitempty') ? 'o' : ''}`;
  return values ? [name, number, flags, { enum: values }] : [name, number, flags];
}

function structsOf(source: string, prefix: string): Record<string, Row[]> {
  const out: Record<string, Row[]> = {};
  let rows: Row[] | undefined;
  let comments: string[] = [];
  for (const line of source.split('\n')) {
    if (/^\s*\/\//.test(line)) {
      comments.push(line);
      continue;
    }
    const start = /^type (\w+) struct \{$/.exec(line);
    if (start) {
      rows = [];
      out[`${prefix}.${start[1]}`] = rows;
    } else if (line === '}') rows = undefined;
    else if (rows) {
      if (/^\t(metav1\.)?TypeMeta\s/.test(line)) rows.push(['kind', 0, 'o'], ['apiVersion', 0, 'o']);
      const row = rowOf(line, prefix);
      const preset = defaultIn(comments, prefix);
      if (row && preset !== undefined) row[3] = { ...row[3], default: preset };
      if (row) rows.push(row);
    }
    comments = [];
  }
  return out;
}

const sources = patterns.flatMap(pattern => {
  const files = globSync(pattern, { cwd: folder }).sort();
  if (files.length === 0) throw new Error(`no ${pattern} in ${folder}`);
  return files.map(file => {
    const [group, version] = file.split('/').slice(-3);
    return { prefix: `${group}.${version}`, source: readFileSync(join(folder, file), 'utf8') };
  });
});
for (const { prefix, source } of sources) collectEnums(source, prefix);
// Other groups name constants of the core.
for (const { prefix, source } of sources.toSorted(
  (a, b) => Number(b.prefix === 'core.v1') - Number(a.prefix === 'core.v1'),
))
  collectValues(source, prefix);
const all: Record<string, Row[]> = {};
for (const { prefix, source } of sources) Object.assign(all, structsOf(source, prefix));
const lines = Object.entries(all)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, rows]) => `${JSON.stringify(name)}:${JSON.stringify(rows)}`);
writeFileSync('scripts/catalog-tags.json', `{\n${lines.join(',\n')}\n}\n`);
console.log(`${lines.length} structs`);
