/** /openapi/v2 and /openapi/v3. */
import type { ApiResponse } from '../../api/transport.ts';
import type { Exchange } from './filters.ts';
import type { Core } from './scope.ts';

export async function serveOpenApi(_core: Core, _exchange: Exchange, _path: string): Promise<ApiResponse | undefined> {
  return undefined;
}
