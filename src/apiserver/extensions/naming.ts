/** Which names a definition may have: the first of a group that asks for a name holds it (upstream: naming_controller.go). */
import type { CustomResourceDefinition, CustomResourceDefinitionNames } from '../../api/types/apiextensions-v1.ts';

type Names = CustomResourceDefinitionNames;

export interface Naming {
  readonly accepted: Names;
  /** Undefined when every name was accepted. */
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

interface Taken {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

function namesOfGroup(group: string, definitions: readonly CustomResourceDefinition[]): Taken {
  const held = definitions.filter(crd => crd.spec.group === group).map(crd => crd.status?.acceptedNames);
  return {
    resources: new Set(held.flatMap(n => [n?.plural ?? '', n?.singular ?? '', ...(n?.shortNames ?? [])])),
    kinds: new Set(held.flatMap(n => [n?.kind ?? '', n?.listKind ?? ''])),
  };
}

const inUse = (name: string) => `${JSON.stringify(name)} is already in use`;

/** Several complaints as Go's aggregate shows them. */
const aggregate = (texts: readonly string[]) => (texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`) ?? '';

/** @param definitions all there are, this one included: what it holds already is its own. */
export function acceptNames(
  { spec, status }: CustomResourceDefinition,
  definitions: readonly CustomResourceDefinition[],
): Naming {
  const taken = namesOfGroup(spec.group, definitions);
  const before = status?.acceptedNames;
  const accepted: Names = { ...before, plural: before?.plural ?? '', kind: before?.kind ?? '' };
  let conflict: Naming['conflict'];
  const claim = (key: 'plural' | 'singular' | 'kind' | 'listKind', used: ReadonlySet<string>, reason: string): void => {
    const name = spec.names[key] ?? '';
    if (name !== (before?.[key] ?? '') && used.has(name)) conflict = { reason, message: inUse(name) };
    else if (name) accepted[key] = name;
  };
  claim('plural', taken.resources, 'PluralConflict');
  claim('singular', taken.resources, 'SingularConflict');
  const wanted = spec.names.shortNames ?? [];
  const clashes = wanted.filter(name => !before?.shortNames?.includes(name) && taken.resources.has(name));
  if (clashes.length > 0) conflict = { reason: 'ShortNamesConflict', message: aggregate(clashes.map(inUse)) };
  else if (spec.names.shortNames) accepted.shortNames = wanted;
  else delete accepted.shortNames;
  claim('kind', taken.kinds, 'KindConflict');
  claim('listKind', taken.kinds, 'ListKindConflict');
  if (spec.names.categories) accepted.categories = spec.names.categories;
  else delete accepted.categories;
  return { accepted, conflict };
}
