/**
 * Reads the facts that only Go's struct tags carry (order of fields, protobuf numbers, inlined structs, pointers, omitempty)
 * and writes scripts/catalog-tags.json, an input of scripts/catalog.ts.
 *
 *   sh bin/node scripts/catalog-tags.ts FOLDER
 *
 * FOLDER holds release-1.35 of kubernetes/api, apimachinery, apiextensions-apiserver and kube-aggregator, under these names.
 * Rows: [JSON name, protobuf number, flags]; flag "p" is a pointer, "o" is omitempty. An inlined struct is ["", number, type].
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Row = [name: string, number: number, flags: string];

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

function rowOf(line: string, prefix: string): Row | undefined {
  const match = /^\t(?:\w+\s+)?([\w.*[\]]+(?:\[[\w.]+\][\w.*[\]]+)?)\s+`([^`]*)`/.exec(line);
  if (!match) return undefined;
  const [, type = '', tags = ''] = match;
  const json = /json:"([^"]*)"/.exec(tags)?.[1];
  if (json === undefined || json === '-') return undefined;
  const number = Number(/protobuf:"\w+,(\d+)/.exec(tags)?.[1] ?? 0);
  const [name = '', ...options] = json.split(',');
  if (name === '') return type.endsWith('TypeMeta') ? undefined : ['', number, `${prefix}.${type.split('.').pop()}`];
  return [name, number, `${type.startsWith('*') ? 'p' : ''}${options.includes('omitempty') ? 'o' : ''}`];
}

function structsOf(file: string, prefix: string): Record<string, Row[]> {
  const out: Record<string, Row[]> = {};
  let rows: Row[] | undefined;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const start = /^type (\w+) struct \{$/.exec(line);
    if (start) {
      rows = [];
      out[`${prefix}.${start[1]}`] = rows;
    } else if (line === '}') rows = undefined;
    else if (rows) {
      if (/^\t(metav1\.)?TypeMeta\s/.test(line)) rows.push(['kind', 0, 'o'], ['apiVersion', 0, 'o']);
      const row = rowOf(line, prefix);
      if (row) rows.push(row);
    }
  }
  return out;
}

const all: Record<string, Row[]> = {};
for (const pattern of patterns) {
  const files = globSync(pattern, { cwd: folder }).sort();
  if (files.length === 0) throw new Error(`no ${pattern} in ${folder}`);
  for (const file of files) {
    const path = join(folder, file);
    if (!existsSync(path)) continue;
    const [group, version] = file.split('/').slice(-3) as [string, string];
    Object.assign(all, structsOf(path, `${group}.${version}`));
  }
}
const lines = Object.entries(all)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, rows]) => `${JSON.stringify(name)}:${JSON.stringify(rows)}`);
writeFileSync('scripts/catalog-tags.json', `{\n${lines.join(',\n')}\n}\n`);
console.log(`${lines.length} structs`);
