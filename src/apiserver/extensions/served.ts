/** An established definition as served resources: the same pipeline as for built-in kinds. */
import type { OtherVersions } from '../../api/apply/index.ts';
import { prune } from '../../api/codec/coerce.ts';
import { DecodeError } from '../../api/codec/decode-error.ts';
import { canonicalTime } from '../../api/codec/time.ts';
import {
  defaultCustom,
  dropNulls,
  structuralSchema,
  validateCustom,
  validateCustomUpdate,
  validateStatusUpdate,
} from '../../api/crd/index.ts';
import { ageOf } from '../../api/duration.ts';
import { compileFieldPath, firstAt, formatValue, JsonPathError } from '../../api/jsonpath/index.ts';
import type { Unstructured } from '../../api/object.ts';
import type { ObjectSchema, ResourceInfo, SubresourceInfo } from '../../api/schema.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../../api/types/apiextensions-v1.ts';
import {
  anyFinalizer,
  finalizerWarnings,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '../registry/meta/object-meta.ts';
import type { Column, Strategy } from '../registry/strategy.ts';
import { fieldReader } from '../server/builtin.ts';
import { compareVersions } from '../server/resources.ts';
import type { Served } from '../server/scope.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type Converter, noConversion } from './converter.ts';
import { embeddedCheck } from './embedded.ts';
import { validateScaleSpec, validateScaleStatus } from './scale.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const readWrite = ['get', 'patch', 'update'];

function infoOf(crd: CustomResourceDefinition, version: CustomResourceDefinitionVersion): ResourceInfo {
  const { group, names, scope } = crd.spec;
  const accepted = crd.status?.acceptedNames ?? names;
  const subresources: Record<string, SubresourceInfo> = {};
  const own = { kind: names.kind, group, version: version.name, verbs: readWrite };
  if (version.subresources?.status) subresources['status'] = own;
  if (version.subresources?.scale)
    subresources['scale'] = { kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: readWrite };
  return {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    singular: accepted.singular || names.kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    verbs,
    ...(accepted.shortNames?.length && { shortNames: accepted.shortNames }),
    ...(accepted.categories?.length && { categories: accepted.categories }),
    subresources,
    schema: structuralSchema(version.schema?.openAPIV3Schema),
  };
}

type Cell = string | number | boolean | null;

function cellReader(column: CustomResourceColumnDefinition): (obj: Unstructured, now: number) => Cell {
  const path = compileFieldPath(column.jsonPath);
  return (obj, now) => {
    const value = firstAt(path, obj);
    if (column.type === 'string' && value === null) return '<no value>';
    if (value === undefined || value === null) return null;
    switch (column.type) {
      case 'date':
        return typeof value === 'string' ? dateCell(value, now) : null;
      case 'integer':
        return typeof value === 'number' ? Math.trunc(value) : null;
      case 'number':
        return typeof value === 'number' ? value : null;
      case 'boolean':
        return typeof value === 'boolean' ? value : null;
      default:
        return formatValue(value);
    }
  };
}

/** An empty date is unknown, anything else that is none is invalid. */
function dateCell(text: string, now: number): string {
  try {
    return text === '' || text === 'null' ? '<unknown>' : ageOf(canonicalTime(text), now);
  } catch (e) {
    if (e instanceof DecodeError) return '<invalid>';
    throw e;
  }
}

const nameColumn: Column<Unstructured> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  cell: obj => obj.metadata.name,
};

const defaultAge: CustomResourceColumnDefinition = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'CreationTimestamp is the time at which the object was created.',
};

function columnsOf(version: CustomResourceDefinitionVersion): Column<Unstructured>[] {
  const defined = version.additionalPrinterColumns ?? [];
  return [nameColumn, ...untilUnreadable(defined.length > 0 ? defined : [defaultAge])];
}

/** Upstream leaves out a column whose path cannot be read, and those after it. */
function untilUnreadable(columns: readonly CustomResourceColumnDefinition[]): Column<Unstructured>[] {
  const out: Column<Unstructured>[] = [];
  for (const column of columns) {
    try {
      out.push(columnOf(column));
    } catch (e) {
      if (e instanceof JsonPathError) break;
      throw e;
    }
  }
  return out;
}

function columnOf(column: CustomResourceColumnDefinition): Column<Unstructured> {
  const { name, type, format, jsonPath, priority = 0 } = column;
  return {
    name,
    type: type as 'string',
    ...(format && { format }),
    description: column.description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    priority,
    cell: cellReader(column),
  };
}

function selectableOf(
  version: CustomResourceDefinitionVersion,
): NonNullable<Strategy<Unstructured>['selectableFields']> {
  const out: Record<string, (obj: Unstructured) => string> = {};
  for (const { jsonPath } of version.selectableFields ?? []) {
    const path = compileFieldPath(jsonPath);
    out[jsonPath.replace(/^\./, '')] = obj => {
      const value = firstAt(path, obj);
      return value === undefined || value === null ? '' : String(value);
    };
  }
  return out;
}

const fieldKey = ({ version }: ResourceInfo, name: string) => `${version}:${name}`;

/** The values by which objects can be selected, in each version as it shows them. */
export function selectableValues(versions: readonly Served[]): (obj: Unstructured) => Record<string, string> {
  const selecting = versions.filter(({ strategy }) => Object.keys(strategy.selectableFields ?? {}).length > 0);
  return obj => {
    const out: Record<string, string> = {};
    for (const { info, strategy, read } of selecting) {
      const shown = read?.(structuredClone(obj)) ?? obj;
      for (const [name, value] of Object.entries(fieldReader(strategy)(shown))) out[fieldKey(info, name)] = value;
    }
    return out;
  };
}

function strategyOf(info: ResourceInfo, version: CustomResourceDefinitionVersion): Strategy<Unstructured> {
  const hasStatus = 'status' in info.subresources;
  const scale = version.subresources?.scale;
  const selectable = selectableOf(version);
  const checkEmbedded = embeddedCheck(info.schema);
  const checkUpdate = (obj: Unstructured, old: Unstructured) => [
    ...anyFinalizer(validateObjectMetaUpdate(obj.metadata, old.metadata)),
    ...validateCustomUpdate(obj, old, info.schema),
    ...validateScaleSpec(obj, scale),
    ...validateScaleStatus(obj, scale),
    ...checkEmbedded(obj),
  ];
  return {
    resource: `${info.group}/${info.plural}`,
    generation: true,
    allowUnconditionalUpdate: false,
    selectableFields: selectable,
    fieldNames: Object.fromEntries(Object.keys(selectable).map(name => [name, fieldKey(info, name)])),
    default: obj => defaultCustom(obj, info.schema),
    prepareForCreate(obj) {
      if (hasStatus) delete obj['status'];
    },
    prepareForUpdate(obj, old) {
      if (!hasStatus) return;
      if (old['status'] === undefined) delete obj['status'];
      else obj['status'] = structuredClone(old['status']);
    },
    validate: obj => [
      ...anyFinalizer(validateObjectMeta(obj.metadata, info.namespaced)),
      ...validateCustom(obj, info.schema),
      ...validateScaleSpec(obj, scale),
      ...validateScaleStatus(obj, scale),
      ...checkEmbedded(obj),
    ],
    validateUpdate: checkUpdate,
    warnings: (obj, old) => finalizerWarnings(obj.metadata, old?.metadata),
    subresources: {
      status: {
        prepareForUpdate: onlyStatus,
        validateUpdate: (obj, old) => [
          ...anyFinalizer(validateObjectMetaUpdate(obj.metadata, old.metadata)),
          ...validateStatusUpdate(obj, old, info.schema),
          ...validateScaleStatus(obj, scale),
        ],
      },
      scale: { validateUpdate: checkUpdate },
    },
    ...(scale && {
      scale: {
        specReplicas: scale.specReplicasPath,
        statusReplicas: scale.statusReplicasPath,
        selector: scale.labelSelectorPath ?? '',
      },
    }),
  };
}

/** A status write keeps everything else, metadata included. */
function onlyStatus(obj: Unstructured, old: Unstructured): void {
  const { status } = obj;
  const { managedFields, resourceVersion } = obj.metadata;
  for (const key of Object.keys(obj)) delete (obj as Record<string, unknown>)[key];
  Object.assign(obj, structuredClone(old));
  if (status === undefined) delete obj['status'];
  else obj['status'] = status;
  if (managedFields) obj.metadata.managedFields = managedFields;
  obj.metadata.resourceVersion = resourceVersion ?? '';
}

/**
 * One served version. `writtenSince` is the revision from which on all objects were written under this very schema, so that their
 * bytes can be served as they are.
 */
export function customServed(
  crd: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  store: ObjectStore,
  writtenSince: number,
  replaced: AbortSignal,
  converter: Converter = noConversion,
): Served {
  const info = infoOf(crd, version);
  const { group, names } = crd.spec;
  const storage = crd.spec.versions.find(v => v.storage) ?? version;
  const apiVersion = `${group}/${version.name}`;
  const storedApiVersion = `${group}/${storage.name}`;
  const versions = otherVersions(crd, converter);
  const schemaOf = (obj: Unstructured) => versions.schema(obj.apiVersion ?? '') ?? info.schema;
  function converted(obj: Unstructured, to: string): Unstructured {
    if (obj.apiVersion === to) return obj;
    const other = converter.convert(obj, to);
    const known = prune(other, schemaOf(other));
    dropNulls(known, schemaOf(known));
    return known;
  }
  return {
    info,
    strategy: { ...(strategyOf(info, version) as unknown as Strategy), ...deprecation(crd, version) },
    store,
    conversion: undefined,
    storedApiVersion,
    versions,
    storedAs: entry => storage.name === version.name && entry.modRevision > writtenSince,
    // Nothing is stored that the stored version does not know, and what is stored can be shown in it as it is.
    write(obj) {
      const stored = converted(obj, storedApiVersion);
      if (storage.name !== version.name) defaultCustom(stored, schemaOf(stored));
      return stored;
    },
    // Defaults are those of the version in which it was stored.
    read(obj) {
      const stored = prune(obj, schemaOf(obj));
      defaultCustom(stored, schemaOf(stored));
      return converted(stored, apiVersion);
    },
    memo: String(writtenSince),
    hooks: {},
    custom: {
      crd: crd.metadata.name,
      acceptsCreates: !crd.metadata.deletionTimestamp,
      replaced,
      props: version.schema?.openAPIV3Schema,
    },
    listKind: names.listKind || `${names.kind}List`,
    returnsDeleted: false,
    columns: columnsOf(version),
  };
}

/** All versions of the definition, served or not: managed fields may be of any of them. */
function otherVersions({ spec: { group, versions } }: CustomResourceDefinition, converter: Converter): OtherVersions {
  const schemas = new Map<string, ObjectSchema>();
  function schema(apiVersion: string): ObjectSchema | undefined {
    const version = versions.find(v => `${group}/${v.name}` === apiVersion);
    if (!version) return undefined;
    let known = schemas.get(apiVersion);
    if (!known) schemas.set(apiVersion, (known = structuralSchema(version.schema?.openAPIV3Schema)));
    return known;
  }
  return {
    schema,
    convert: (object, apiVersion) =>
      schema(apiVersion) && converter.convert({ ...(object as unknown as Unstructured) }, apiVersion),
  };
}

/** What a request of a deprecated version is told; unless the definition has its own words, with the best version to use instead. */
function deprecation(
  { spec }: CustomResourceDefinition,
  { name, deprecated, deprecationWarning }: CustomResourceDefinitionVersion,
): Pick<Strategy, 'deprecation'> {
  if (!deprecated) return {};
  if (deprecationWarning !== undefined) return { deprecation: deprecationWarning };
  const named = (version: string) => `${spec.group}/${version} ${spec.names.kind}`;
  const [better] = spec.versions
    .filter(v => v.served && !v.deprecated && compareVersions(v.name, name) < 0)
    .map(v => v.name)
    .sort(compareVersions);
  return { deprecation: `${named(name)} is deprecated${better === undefined ? '' : `; use ${named(better)}`}` };
}
