/**
 * The one description of a type that the whole pipeline runs on, for built-in kinds (read from the catalog) and custom
 * resources (read from a CRD's structural schema) alike.
 */
import type { JsonValue } from './types/scalars.ts';

export type ScalarType =
  | 'string'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bool'
  /** base64 in JSON, bytes in protobuf. */
  | 'bytes'
  | 'quantity'
  | 'intOrString'
  | 'time'
  | 'microTime'
  /** Any JSON value, kept as it is. */
  | 'json'
  /** Any JSON value, whose objects lose all their members: what custom resources have below `additionalProperties: true`. */
  | 'emptied'
  /** An embedded object of any kind (runtime.RawExtension). */
  | 'raw'
  | 'fieldsV1';

/** Constraints that only custom resources carry (OpenAPI v3 keywords). */
export interface Constraints {
  enum?: readonly JsonValue[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: readonly ValueSchema[];
  anyOf?: readonly ValueSchema[];
  oneOf?: readonly ValueSchema[];
  not?: ValueSchema;
  /** x-kubernetes-validations, kept for the CEL evaluator. */
  rules?: readonly {
    rule: string;
    message?: string;
    messageExpression?: string;
    reason?: string;
    fieldPath?: string;
    optionalOldSelf?: boolean;
  }[];
}
/** A schema inside allOf/anyOf/oneOf/not: value validation only. */
export interface ValueSchema extends Constraints {
  required?: readonly string[];
  properties?: Readonly<Record<string, ValueSchema>>;
  items?: ValueSchema;
  additionalProperties?: ValueSchema;
}

interface Common {
  /** Custom resources: null is kept instead of dropped. */
  readonly nullable?: boolean;
  readonly default?: JsonValue;
  readonly constraints?: Constraints;
  /** Doc text, when the package was built with it. */
  readonly description?: string;
}
export interface ScalarSchema extends Common {
  readonly kind: 'scalar';
  readonly type: ScalarType;
  /** 'json' that is a JSON schema or something else (apiextensions' JSONSchemaPropsOrArray, OrBool, OrStringArray). */
  readonly union?: { readonly or: 'array' | 'bool' | 'strings'; readonly schema: ObjectSchema };
}
export interface ListSchema extends Common {
  readonly kind: 'list';
  readonly items: Schema;
  /** For server-side apply. Absent means atomic. */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly mapKeys?: readonly string[];
  /** For strategic merge patch. */
  readonly patchMergeKey?: string;
  readonly patchStrategy?: readonly string[];
}
export interface MapSchema extends Common {
  readonly kind: 'map';
  readonly values: Schema;
  readonly mapType?: 'granular' | 'atomic';
}
export interface ObjectSchema extends Common {
  readonly kind: 'object';
  /** The full definition name in OpenAPI, e.g. "io.k8s.api.core.v1.PodSpec"; absent for inline objects of CRDs. */
  readonly name?: string;
  readonly fields: ReadonlyMap<string, Field>;
  readonly required: readonly string[];
  /** Unknown fields are kept (x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown?: boolean;
  /** The value is a whole Kubernetes object (x-kubernetes-embedded-resource). */
  readonly embeddedResource?: boolean;
  readonly mapType?: 'granular' | 'atomic';
  readonly patchStrategy?: readonly string[];
  /** x-kubernetes-unions, as published. */
  readonly unions?: readonly JsonValue[];
}
export interface Field {
  readonly name: string;
  /** Resolved on first use: types can be recursive. */
  readonly schema: Schema;
  /** 0 when the type has no protobuf form. */
  readonly protobuf: number;
  /** Numbers of the messages around the field: Go inlines them in JSON, protobuf nests them. Outermost first. */
  readonly protobufPath?: readonly number[];
  /** Zero values ("", 0, false, [], {}) mean the same as absence and are dropped on decoding, as Go's omitempty does. */
  readonly omitZero?: boolean;
  /** Built-in types, for OpenAPI only: values of the field, or of its items, as far as they are known. */
  readonly enum?: readonly string[];
  /** Built-in types, for OpenAPI v3 only. Defaulting is the strategies'. */
  readonly default?: JsonValue;
}
export type Schema = ScalarSchema | ListSchema | MapSchema | ObjectSchema;

export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}
export interface GroupVersionResource {
  group: string;
  version: string;
  resource: string;
}

/** "v1" for the core group, else "group/version". */
export function apiVersionOf(gv: { group: string; version: string }): string {
  return gv.group ? `${gv.group}/${gv.version}` : gv.version;
}
export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

export interface SubresourceInfo {
  kind: string;
  group: string;
  version: string;
  verbs: readonly string[];
}

/** Facts about one served resource in one version, from the catalog or a CRD. */
export interface ResourceInfo {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources: Readonly<Record<string, SubresourceInfo>>;
  readonly schema: ObjectSchema;
}
