/**
 * Collects the doc comments of fields from @kubernetes/client-node's declarations into src/api/catalog/docs.json, for
 * `kubectl explain` and OpenAPI. The file is made at set-up and build time and is not committed; everything works without it.
 *
 *   sh bin/node scripts/docs.ts
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtinResources, listSchemaOf, schemaOf, typeNames } from '../src/api/catalog/index.ts';
import type { ObjectSchema } from '../src/api/schema.ts';

const folder = 'node_modules/@kubernetes/client-node/dist/gen/models';
if (!existsSync(folder)) {
  console.error('docs: @kubernetes/client-node is not installed; leaving the field documentation out');
  process.exit(0);
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const normal = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
const clean = (comment: string) =>
  comment
    .split('\n')
    .map(line => line.replace(/^\s*\*? ?/, '').trimEnd())
    .join('\n')
    .replace(/\\(['"\\])/g, '$1')
    .trim();

/** Texts of one class by normalised field name; the class's own under ''. */
function textsOf(file: string): Map<string, string> {
  const source = readFileSync(file, 'utf8');
  const out = new Map<string, string>();
  const pattern = /\/\*\*\n((?:(?!\*\/)[\s\S])*?)\s*\*\/\n\s*(?:(export declare class) |'([^']+)'\??:)/g;
  for (const [, comment = '', isClass, field] of source.matchAll(pattern))
    out.set(isClass ? '' : normal(field ?? ''), clean(comment));
  return out;
}

const classes = new Set(readdirSync(folder).flatMap(f => (f.endsWith('.d.ts') ? [f.slice(0, -5)] : [])));
/** "core.v1.Event" is CoreV1Event where a plain V1Event would be ambiguous. */
function classOf(type: string): string | undefined {
  const [group = '', version = '', kind = ''] = type.split('.');
  const candidates = [`${capital(group)}${capital(version)}${kind}`, `${capital(version)}${kind}`, kind];
  return candidates.find(name => classes.has(name));
}

const docs: Record<string, Record<string, string>> = {};
function collect(type: string, schema: ObjectSchema): void {
  const name = classOf(type);
  if (!name) return;
  const texts = textsOf(join(folder, `${name}.d.ts`));
  const entry: Record<string, string> = {};
  const own = texts.get('');
  if (own) entry[''] = own;
  for (const field of schema.fields.keys()) {
    const text = texts.get(normal(field));
    if (text) entry[field] = text;
  }
  if (Object.keys(entry).length > 0) docs[schema.name ?? type] = entry;
}
for (const type of typeNames()) collect(type, schemaOf(type));
for (const { schema } of builtinResources())
  collect(`${schema.name?.split('.').slice(-3).join('.')}List`, listSchemaOf(schema));
writeFileSync('src/api/catalog/docs.json', `${JSON.stringify(docs)}\n`);
console.error(`docs: ${Object.keys(docs).length} types have documentation`);
