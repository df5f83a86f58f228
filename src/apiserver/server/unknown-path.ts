/** What is answered for paths that lead nowhere. */
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { utf8 } from '../storage/encoding.ts';
import { respond } from './output.ts';
import type { ResourceTable } from './resources.ts';

/** As Go's http.Error answers. */
export function plainError(status: number, text: string): ApiResponse {
  const response = respond(status, 'text/plain; charset=utf-8', utf8(`${text}\n`));
  return { ...response, headers: { ...response.headers, 'x-content-type-options': 'nosniff' } };
}

/** Throws a Status where upstream's routers of built-in groups look; elsewhere its last handler answers in plain text. */
export function unknownPath(resources: ResourceTable, path: string): ApiResponse {
  const [root, group] = path.split('/').filter(part => part !== '');
  const builtin = () => resources.all().some(({ info, custom }) => !custom && info.group === group);
  if (root === 'api' || root === 'version' || (root === 'apis' && builtin())) throw errors.unknownPath();
  return plainError(404, '404 page not found');
}
