/**
 * The OpenAPI v2 document as the protobuf message openapi.v2.Document (github.com/google/gnostic-models), which kubectl asks for
 * as "application/com.github.proto-openapi.spec.v2@v1.0+protobuf". Only what our documents use is written.
 */
import { Writer, wire } from '../codec/protobuf/wire.ts';
import type { Json } from './source.ts';

/** Writes one value as a field with this number. */
type Put = (w: Writer, number: number, value: unknown) => void;
type Fields = readonly (readonly [key: string, number: number, put: Put])[];

const string: Put = (w, number, value) => {
  const mark = w.size;
  w.string(String(value));
  w.delimit(number, mark);
};
const bool: Put = (w, number, value) => {
  w.varint(value === true ? 1 : 0);
  w.tag(number, wire.varint);
};
const int: Put = (w, number, value) => {
  w.varint(Number(value));
  w.tag(number, wire.varint);
};
const double: Put = (w, number, value) => {
  w.double(Number(value));
  w.tag(number, wire.fixed64);
};
/** Any {yaml = 2}: JSON is YAML. */
const any: Put = (w, number, value) => {
  const mark = w.size;
  string(w, 2, `${JSON.stringify(value)}\n`);
  w.delimit(number, mark);
};
/** Content first, then its length: the writer goes backwards. */
const within =
  (write: (w: Writer, value: unknown) => void): Put =>
  (w, number, value) => {
    const mark = w.size;
    write(w, value);
    w.delimit(number, mark);
  };
const each =
  (put: Put): Put =>
  (w, number, value) => {
    for (const item of (value as unknown[]).toReversed()) put(w, number, item);
  };
/** A list of {name = 1, value = 2}. */
const named =
  (put: Put): Put =>
  (w, number, value) => {
    for (const [key, inner] of Object.entries(value as Json).toReversed()) namedOne(w, number, key, inner, put);
  };
function namedOne(w: Writer, number: number, key: string, value: unknown, put: Put): void {
  const mark = w.size;
  put(w, 2, value);
  string(w, 1, key);
  w.delimit(number, mark);
}

/** A message of known keys; the others that start with "x-" are vendor extensions. */
const message = (fields: () => Fields, vendorExtension: number): Put =>
  within((w, value) => {
    const object = value as Json;
    for (const [key, inner] of Object.entries(object).toReversed())
      if (key.startsWith('x-')) namedOne(w, vendorExtension, key, inner, any);
    for (const [key, number, put] of fields().toReversed()) if (object[key] !== undefined) put(w, number, object[key]);
  });

const schema: Put = message(() => schemaFields, 31);
const schemaFields: Fields = [
  ['$ref', 1, string],
  ['format', 2, string],
  ['title', 3, string],
  ['description', 4, string],
  ['default', 5, any],
  ['multipleOf', 6, double],
  ['maximum', 7, double],
  ['exclusiveMaximum', 8, bool],
  ['minimum', 9, double],
  ['exclusiveMinimum', 10, bool],
  ['maxLength', 11, int],
  ['minLength', 12, int],
  ['pattern', 13, string],
  ['maxItems', 14, int],
  ['minItems', 15, int],
  ['uniqueItems', 16, bool],
  ['maxProperties', 17, int],
  ['minProperties', 18, int],
  ['required', 19, each(string)],
  ['enum', 20, each(any)],
  [
    'additionalProperties',
    21,
    within((w, value) => (typeof value === 'boolean' ? bool(w, 2, value) : schema(w, 1, value))),
  ],
  ['type', 22, within((w, value) => (Array.isArray(value) ? each(string) : string)(w, 1, value))],
  ['items', 23, within((w, value) => schema(w, 1, value))],
  ['allOf', 24, each((w, n, value) => schema(w, n, value))],
  ['properties', 25, within((w, value) => named(schema)(w, 1, value))],
];

const bodyParameter: Put = message(
  () => [
    ['description', 1, string],
    ['name', 2, string],
    ['in', 3, string],
    ['required', 4, bool],
    ['schema', 5, schema],
  ],
  6,
);
const queryParameter: Put = message(
  () => [
    ['required', 1, bool],
    ['in', 2, string],
    ['description', 3, string],
    ['name', 4, string],
    ['type', 6, string],
    ['format', 7, string],
    ['uniqueItems', 20, bool],
  ],
  23,
);
const pathParameter: Put = message(
  () => [
    ['required', 1, bool],
    ['in', 2, string],
    ['description', 3, string],
    ['name', 4, string],
    ['type', 5, string],
    ['format', 6, string],
    ['uniqueItems', 19, bool],
  ],
  22,
);
/** ParametersItem {parameter = 1 {body = 1, nonBody = 2 {query = 3, path = 4}}} */
const parameter: Put = within((w, value) => {
  const place = (value as Json)['in'];
  const nonBody = within((inner, v) => (place === 'path' ? pathParameter(inner, 4, v) : queryParameter(inner, 3, v)));
  within((inner, v) => (place === 'body' ? bodyParameter(inner, 1, v) : nonBody(inner, 2, v)))(w, 1, value);
});
const response: Put = message(
  () => [
    ['description', 1, string],
    ['schema', 2, within((w, value) => schema(w, 1, value))],
  ],
  5,
);
const operation: Put = message(
  () => [
    ['tags', 1, each(string)],
    ['summary', 2, string],
    ['description', 3, string],
    ['operationId', 5, string],
    ['produces', 6, each(string)],
    ['consumes', 7, each(string)],
    ['parameters', 8, each(parameter)],
    ['responses', 9, within((w, value) => named(within((inner, v) => response(inner, 1, v)))(w, 1, value))],
    ['schemes', 10, each(string)],
  ],
  13,
);
const pathItem: Put = message(
  () => [
    ['get', 2, operation],
    ['put', 3, operation],
    ['post', 4, operation],
    ['delete', 5, operation],
    ['options', 6, operation],
    ['head', 7, operation],
    ['patch', 8, operation],
    ['parameters', 9, each(parameter)],
  ],
  10,
);
const info: Put = message(
  () => [
    ['title', 1, string],
    ['version', 2, string],
  ],
  7,
);
const apiKey: Put = message(
  () => [
    ['type', 1, string],
    ['name', 2, string],
    ['in', 3, string],
    ['description', 4, string],
  ],
  5,
);
const document: Fields = [
  ['swagger', 1, string],
  ['info', 2, info],
  ['paths', 8, within((w, value) => named(pathItem)(w, 2, value))],
  ['definitions', 9, within((w, value) => named(schema)(w, 1, value))],
  ['security', 12, each(within((w, value) => named(within((inner, v) => each(string)(inner, 1, v)))(w, 1, value)))],
  ['securityDefinitions', 13, within((w, value) => named(within((inner, v) => apiKey(inner, 2, v)))(w, 1, value))],
];

/** The bytes of a document made by `openApiV2`. */
export function encodeOpenApiV2(value: Json): Uint8Array {
  const w = new Writer();
  for (const [key, number, put] of document.toReversed()) if (value[key] !== undefined) put(w, number, value[key]);
  return w.finish();
}
