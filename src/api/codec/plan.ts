/** Schemas compiled for the walks of the codecs: one node per schema, fields by name with their rank. */
import type { Field, ObjectSchema, ScalarSchema, Schema } from '../schema.ts';

export interface FieldPlan {
  readonly name: string;
  /** Place in the canonical order. */
  readonly rank: number;
  readonly omitZero: boolean;
  readonly plan: Plan;
}
export interface ObjectPlan {
  readonly kind: 'object';
  readonly schema: ObjectSchema;
  /** Custom types are checked against their schema later: decoding them only prunes. */
  readonly loose: boolean;
  readonly preserve: boolean;
  readonly fields: ReadonlyMap<string, FieldPlan>;
}
export interface ListPlan {
  readonly kind: 'list';
  readonly items: Plan;
}
export interface MapPlan {
  readonly kind: 'map';
  readonly values: Plan;
}
export interface ScalarPlan {
  readonly kind: 'scalar';
  readonly type: ScalarSchema['type'];
  readonly union?: ScalarSchema['union'];
}
export type Plan = ObjectPlan | ListPlan | MapPlan | ScalarPlan;

const plans = new WeakMap<Schema, Plan>();

export function planOf(schema: Schema): Plan {
  let plan = plans.get(schema);
  if (!plan) {
    plan = compile(schema);
    plans.set(schema, plan);
  }
  return plan;
}

function compile(schema: Schema): Plan {
  switch (schema.kind) {
    case 'scalar':
      return { kind: 'scalar', type: schema.type, ...(schema.union && { union: schema.union }) };
    case 'list':
      return { kind: 'list', items: planOf(schema.items) };
    case 'map':
      return { kind: 'map', values: planOf(schema.values) };
    case 'object':
      return new LazyObject(schema);
  }
}

/** Types can be recursive, so fields are compiled when the object is first met. */
class LazyObject implements ObjectPlan {
  readonly kind = 'object';
  readonly schema: ObjectSchema;
  readonly loose: boolean;
  readonly preserve: boolean;
  #fields: ReadonlyMap<string, FieldPlan> | undefined;
  constructor(schema: ObjectSchema) {
    this.schema = schema;
    this.loose = schema.name === undefined;
    this.preserve = schema.preserveUnknown === true;
  }
  get fields(): ReadonlyMap<string, FieldPlan> {
    this.#fields ??= compileFields(this.schema.fields);
    return this.#fields;
  }
}

function compileFields(fields: ReadonlyMap<string, Field>): ReadonlyMap<string, FieldPlan> {
  let rank = 0;
  return new Map(
    Array.from(fields, ([name, field]) => [
      name,
      { name, rank: rank++, omitZero: field.omitZero === true, plan: planOf(field.schema) },
    ]),
  );
}
