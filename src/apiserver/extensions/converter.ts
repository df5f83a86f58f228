/** How objects of a custom resource get from one version to another. */
import type { Unstructured } from '../../api/object.ts';

export interface Converter {
  /** The object at another version of its kind. May change and give back its argument. */
  convert(obj: Unstructured, apiVersion: string): Unstructured;
}

/** Strategy "None": versions differ in their name only; what a version does not know is pruned when it is read. */
export const noConversion: Converter = {
  convert(obj, apiVersion) {
    obj.apiVersion = apiVersion;
    return obj;
  },
};
