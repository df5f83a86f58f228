/** What OpenAPI documents are made of. */
import { listSchemaOf, schemaOf, schemaOfKind } from '../catalog/index.ts';
import { apiVersionOf, type ObjectSchema, type ResourceInfo } from '../schema.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';

export type Json = { [key: string]: unknown };

/** Texts by definition name and field; the empty field is the type itself. Made by scripts/docs.ts. */
export type Docs = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface CustomResource {
  info: ResourceInfo;
  listKind: string;
  /** As the definition gives it; undefined when it gives none. */
  props: JSONSchemaProps | undefined;
  /** Fields that field selectors may name, such as "spec.color". */
  selectable?: readonly string[];
}
export interface OpenApiSource {
  resources: readonly ResourceInfo[];
  customs?: readonly CustomResource[];
  docs?: Docs;
  /** Resources whose deletion answers with the object, as "group/plural". */
  returnsDeleted?: ReadonlySet<string>;
  /** "v1.35.0" */
  gitVersion: string;
}

export interface GroupVersion {
  group: string;
  version: string;
}
export interface Gvk extends GroupVersion {
  kind: string;
}

/** One resource with the names of its definitions, built-in or custom. */
export interface Described {
  info: ResourceInfo;
  item: string;
  list: string;
  listKind: string;
  /** Definition names by kind of subresource. */
  nameOf(gvk: Gvk): string | undefined;
  /** Definition that a deletion answers with, when it is not Status. */
  deleted?: string;
  custom?: CustomResource;
}

/** "stable.example.com" becomes "com.example.stable". */
export function customDefinition({ group, version }: GroupVersion, kind: string): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

export function describeAll(source: OpenApiSource): Described[] {
  const builtIn = source.resources.map((info): Described => {
    const item = info.schema.name ?? '';
    const listKind = `${info.kind}List`;
    const returns = source.returnsDeleted?.has(`${info.group}/${info.plural}`);
    return {
      info,
      item,
      list: `${item}List`,
      listKind,
      nameOf: gvk => schemaOfKind(gvk)?.name,
      ...(returns && { deleted: item }),
    };
  });
  const customs = (source.customs ?? []).map((custom): Described => {
    const { info, listKind } = custom;
    const item = customDefinition(info, info.kind);
    const list = customDefinition(info, listKind);
    const own = (gvk: Gvk) => gvk.group === info.group && gvk.version === info.version && gvk.kind === info.kind;
    return { info, item, list, listKind, custom, nameOf: gvk => (own(gvk) ? item : schemaOfKind(gvk)?.name) };
  });
  return [...builtIn, ...customs];
}

/** "api/v1" or "apis/GROUP/VERSION" */
export function pathOf(gv: GroupVersion): string {
  return gv.group ? `apis/${apiVersionOf(gv)}` : `api/${gv.version}`;
}

/** The built-in types that a resource's paths speak of. */
export function rootsOf({ info, custom }: Described): ObjectSchema[] {
  const roots = ['DeleteOptions', 'Status', 'WatchEvent', 'ListMeta', 'ObjectMeta'].map(n => schemaOf(`meta.v1.${n}`));
  if (!custom) {
    roots.push(info.schema);
    if (info.verbs.includes('list')) roots.push(listSchemaOf(info.schema));
  }
  for (const { group, version, kind } of Object.values(info.subresources)) {
    const schema = schemaOfKind({ group, version, kind });
    if (schema && !connectKinds.test(kind)) roots.push(schema);
  }
  return roots;
}

/** Kinds of options that travel in the query only. */
export const connectKinds = /^(Pod|Node|Service)(Exec|Attach|PortForward|Proxy)Options$/;
