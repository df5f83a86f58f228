/** What the scale subresource asks of the fields behind it (customresource/validator.go). */
import type { CustomResourceSubresourceScale } from '../../api/types/apiextensions-v1.ts';
import { type FieldError, field } from '../registry/field-errors.ts';
import { AccessorError, integerAt, textAt } from '../server/nested.ts';

type Scale = CustomResourceSubresourceScale | undefined;

const maxInt32 = 2 ** 31 - 1;

/** The complaint about a value that cannot be read. */
function readable(path: string, shown: unknown, read: () => FieldError[]): FieldError[] {
  try {
    return read();
  } catch (e) {
    if (e instanceof AccessorError) return [field.invalid(path, shown, e.message)];
    throw e;
  }
}

function validateCount(obj: object, path: string): FieldError[] {
  return readable(path, 0, () => {
    const count = integerAt(obj, path) ?? 0;
    if (count < 0) return [field.invalid(path, count, 'should be a non-negative integer')];
    return count > maxInt32 ? [field.invalid(path, count, `should be less than or equal to ${maxInt32}`)] : [];
  });
}

function validateText(obj: object, path: string): FieldError[] {
  return readable(path, '', () => {
    textAt(obj, path);
    return [];
  });
}

export function validateScaleSpec(obj: object, scale: Scale): FieldError[] {
  return scale ? validateCount(obj, scale.specReplicasPath) : [];
}

export function validateScaleStatus(obj: object, scale: Scale): FieldError[] {
  if (!scale) return [];
  const { statusReplicasPath, labelSelectorPath } = scale;
  return [
    ...validateCount(obj, statusReplicasPath),
    ...(labelSelectorPath ? validateText(obj, labelSelectorPath) : []),
  ];
}
