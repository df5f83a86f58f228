/** Schemas compiled to protobuf messages. Structs that Go inlines in JSON are messages of their own here. */
import type { Field, ObjectSchema, ScalarSchema, Schema } from '../../schema.ts';

export type Codec =
  | { kind: 'scalar'; type: ScalarSchema['type']; union?: ScalarSchema['union'] }
  | { kind: 'list'; items: Codec }
  /** A list inside a message of its own, as field 1 (ExtraValue, Verbs). */
  | { kind: 'wrapped'; items: Codec }
  | { kind: 'map'; values: Codec }
  | { kind: 'message'; schema: ObjectSchema };

export interface MessageField {
  readonly number: number;
  /** JSON name; empty for an inlined struct. */
  readonly name: string;
  readonly codec: Codec;
  /** The inlined struct's own fields. */
  readonly inline?: Message;
}
export interface Message {
  /** By descending number, the order in which the writer needs them. */
  readonly descending: readonly MessageField[];
  readonly byNumber: ReadonlyMap<number, MessageField>;
  /** Lists and maps that must be there: their absence on the wire means that they are empty. */
  readonly collections: readonly { name: string; isList: boolean }[];
}

const messages = new WeakMap<ObjectSchema, Message>();

export function messageOf(schema: ObjectSchema): Message {
  let message = messages.get(schema);
  if (!message) {
    const entries = Array.from(schema.fields.values(), field => ({ field, path: field.protobufPath ?? [] }));
    message = build(
      entries.filter(e => e.field.protobuf > 0),
      schema,
    );
    messages.set(schema, message);
  }
  return message;
}

interface Entry {
  field: Field;
  path: readonly number[];
}
function build(entries: readonly Entry[], schema: ObjectSchema): Message {
  const fields: MessageField[] = [];
  const inlined = new Map<number, Entry[]>();
  for (const { field, path } of entries) {
    const [outer, ...rest] = path;
    if (outer === undefined)
      fields.push({ number: field.protobuf, name: field.name, codec: codecOfField(field, schema) });
    else inlined.set(outer, [...(inlined.get(outer) ?? []), { field, path: rest }]);
  }
  for (const [number, inner] of inlined)
    fields.push({ number, name: '', codec: { kind: 'message', schema }, inline: build(inner, schema) });
  fields.sort((a, b) => b.number - a.number);
  const collections = fields.flatMap(({ name, codec }) => {
    const kept = schema.required.includes(name) && schema.fields.get(name)?.omitZero !== true;
    return kept && (codec.kind === 'list' || codec.kind === 'map') ? [{ name, isList: codec.kind === 'list' }] : [];
  });
  return { descending: fields, byNumber: new Map(fields.map(f => [f.number, f])), collections };
}

function codecOfField(field: Field, schema: ObjectSchema): Codec {
  const codec = codecOf(field.schema);
  const isVerbs = field.name === 'verbs' && schema.name?.endsWith('meta.v1.APIResource');
  return isVerbs && codec.kind === 'list' ? { kind: 'wrapped', items: codec.items } : codec;
}

function codecOf(schema: Schema): Codec {
  switch (schema.kind) {
    case 'scalar':
      return { kind: 'scalar', type: schema.type, ...(schema.union && { union: schema.union }) };
    case 'list':
      return { kind: 'list', items: codecOf(schema.items) };
    case 'map': {
      const values = codecOf(schema.values);
      return { kind: 'map', values: values.kind === 'list' ? { kind: 'wrapped', items: values.items } : values };
    }
    case 'object':
      return { kind: 'message', schema };
  }
}
