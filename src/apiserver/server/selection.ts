/** Which objects of a kind a list, watch or deletecollection is about. */
import { exactField, parseFieldSelector, parseLabelSelector, SelectorError } from '../../api/selectors/index.ts';
import { errors } from '../../base/errors.ts';
import type { Entry, KindCache } from '../storage/kind-cache.ts';
import type { ListParameters } from './options.ts';
import type { Scope, Served } from './scope.ts';

export interface Selection {
  /** Key range of the namespace, or of all objects. */
  readonly start: string;
  readonly end: string | undefined;
  /** Set when at most one object can match. */
  readonly exactKey: string | undefined;
  /** True when neither selector restricts anything (the namespace may). */
  readonly unfiltered: boolean;
  /** Whether the object's labels and fields match; its place is checked by `inRange`. */
  matches(entry: Entry): boolean;
  inRange(key: string): boolean;
}

const selectorLimit = 512 << 10;

export function selectionOf(scope: Scope, served: Served, cache: KindCache, parameters: ListParameters): Selection {
  const { info } = scope;
  const { labels, fields } = parse(served, parameters);
  const namespaced = served.info.namespaced && info.namespace !== '';
  const start = namespaced ? `${info.namespace}/` : '';
  const end = namespaced ? `${info.namespace}0` : undefined;
  const name = nameIn(info.name, exactField(fields, 'metadata.name'), fields.everything);
  const namespace = namespaced ? info.namespace : exactField(fields, 'metadata.namespace');
  const exactKey = name === undefined ? undefined : served.info.namespaced ? namespace && `${namespace}/${name}` : name;
  const unfiltered = labels.everything && fields.everything;
  return {
    start,
    end,
    exactKey: exactKey || undefined,
    unfiltered,
    inRange: key => (start === '' || key.startsWith(start)) && (!exactKey || key === exactKey),
    matches(entry) {
      if (unfiltered) return true;
      const selectable = cache.selectableOf(entry);
      return labels.matches(selectable.labels) && fields.matches(field => selectable.fields[field] ?? '');
    },
  };
}

/** A watch can name its object in the path, too. */
function nameIn(inPath: string, selected: string | undefined, unselected: boolean): string | undefined {
  if (inPath !== '' && !unselected && selected !== inPath)
    throw errors.badRequest("fieldSelector metadata.name doesn't match requested name");
  return selected ?? (inPath || undefined);
}

function parse(served: Served, { labelSelector, fieldSelector }: ListParameters) {
  if (labelSelector.length + fieldSelector.length > selectorLimit)
    throw errors.requestEntityTooLarge(`selectors may not be longer than ${selectorLimit} bytes`);
  try {
    return {
      labels: parseLabelSelector(labelSelector),
      fields: parseFieldSelector(fieldSelector, supportedBy(served)),
    };
  } catch (e) {
    throw e instanceof SelectorError ? errors.badRequest(e.message) : e;
  }
}

function supportedBy(served: Served) {
  const { fieldNames, selectableFields } = served.strategy;
  const known = fieldNames ?? selectableFields ?? {};
  return (field: string, value: string) => {
    const name = field === 'name' && served.info.group === '' ? 'metadata.name' : field;
    if (name !== 'metadata.name' && name !== 'metadata.namespace' && !Object.hasOwn(known, name))
      throw new SelectorError(
        served.custom || Object.keys(known).length > 0
          ? `field label not supported: ${field}`
          : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    return { field: fieldNames?.[name] ?? name, value };
  };
}
