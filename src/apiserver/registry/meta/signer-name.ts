import { isDns1123Label, isDns1123Subdomain } from '../../../api/validation/names.ts';
import { type Check, type Errors, invalidAll } from '../checks.ts';
import { field } from '../field-errors.ts';

const maxDomain = 253;
const maxPath = 571;

/** "domain/path": two parts, the domain a DNS subdomain with a dot, the path of DNS-like segments. */
export const signerName: Check<string | undefined> = (name, path) => {
  if (!name) return [field.required(path)];
  const [domain = '', ...segments] = name.split('/');
  if (segments.length !== 1)
    return [
      field.invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"),
    ];
  const signerPath = segments[0] ?? '';
  const errors: Errors = invalidAll(path, domain, isDns1123Subdomain(domain));
  if (domain.split('.').length < 2) {
    errors.push(field.invalid(path, domain, 'should be a domain with at least two segments separated by dots'));
  }
  if (domain.length > maxDomain) errors.push(field.tooLong(path, maxDomain));
  if (signerPath.length === 0) {
    errors.push(field.invalid(path, signerPath, 'validating label "": a lowercase RFC 1123 label must be non-empty'));
  }
  if (signerPath.length > maxPath) errors.push(field.tooLong(path, maxPath));
  for (const label of signerPath.split('.')) {
    if (!label) continue;
    errors.push(
      ...isDns1123Label(label).map(why =>
        field.invalid(path, signerPath, `validating label ${JSON.stringify(label)}: ${why}`),
      ),
    );
  }
  return errors;
};
