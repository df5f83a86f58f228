import { isDns1123Label, isDns1123Subdomain } from '../../../api/validation/names.ts';
import type { Check, Errors } from '../checks.ts';
import { field } from '../field-errors.ts';

const maxDomain = 253;
const maxName = maxDomain + 1 + 253 + 63 + 1;

/** The first label that is wrong; the complaint shows the whole part it is in. */
function validateLabels(part: string, check: (label: string) => string[], path: string): Errors {
  const label = part.split('.').find(text => check(text).length > 0);
  if (label === undefined) return [];
  return check(label).map(why => field.invalid(path, part, `validating label ${JSON.stringify(label)}: ${why}`));
}

/** "domain/path", the domain of at least two labels (ValidateSignerName). */
export const signerName: Check<string | undefined> = (name, path) => {
  if (!name) return [field.required(path)];
  const [domain = '', signer = '', ...more] = name.split('/');
  if (more.length > 0 || !name.includes('/')) {
    return [
      field.invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  }
  return [
    ...(domain.length > maxDomain ? [field.tooLong(path, maxDomain)] : []),
    ...validateLabels(domain, isDns1123Label, path),
    ...(domain.includes('.')
      ? []
      : [field.invalid(path, domain, 'should be a domain with at least two segments separated by dots')]),
    ...validateLabels(signer, isDns1123Subdomain, path),
    ...(name.length > maxName ? [field.tooLong(path, maxName)] : []),
  ];
};
