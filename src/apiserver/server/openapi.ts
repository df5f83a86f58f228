/** /openapi/v2 and /openapi/v3, made when first asked for and again when what is served has changed. */
import {
  type CustomResource,
  contentHash,
  type Docs,
  encodeOpenApiV2,
  openApiV2,
  openApiV3,
  openApiV3Index,
} from '../../api/openapi/index.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { utf8 } from '../storage/encoding.ts';
import type { Exchange } from './filters.ts';
import { respond } from './output.ts';
import type { ResourceTable } from './resources.ts';

export interface OpenApiServer {
  /** Undefined for paths outside /openapi. */
  serve(exchange: Exchange, path: string): Promise<ApiResponse | undefined>;
}

/** What clients ask for has an @, which no media type may hold in an answer. */
const protobufV2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const protobufV3 = 'application/com.github.proto-openapi.spec.v3@v1.0+protobuf';

interface Rendered {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

export function createOpenApiServer(
  resources: ResourceTable,
  gitVersion: string,
  loadDocs: (() => Promise<Docs>) | undefined,
): OpenApiServer {
  let generation = -1;
  const rendered = new Map<string, Rendered>();
  let docs: Promise<Docs | undefined> | undefined;

  async function source() {
    docs ??= loadDocs?.() ?? Promise.resolve(undefined);
    const texts = await docs;
    const customs: CustomResource[] = [];
    for (const { custom, info, listKind, strategy } of resources.all()) {
      if (!custom) continue;
      const selectable = Object.keys(strategy.selectableFields ?? {});
      customs.push({ info, listKind: listKind ?? `${info.kind}List`, props: custom.props, selectable });
    }
    return {
      resources: resources
        .all()
        .filter(s => !s.custom)
        .map(s => s.info),
      customs,
      returnsDeleted: new Set(
        resources
          .all()
          .filter(s => s.returnsDeleted)
          .map(({ info }) => `${info.group}/${info.plural}`),
      ),
      gitVersion,
      ...(texts && { docs: texts }),
    };
  }
  async function render(name: string, make: () => Promise<Uint8Array>): Promise<Rendered> {
    if (generation !== resources.generation) {
      generation = resources.generation;
      rendered.clear();
    }
    let known = rendered.get(name);
    if (!known) {
      const at = generation;
      const bytes = await make();
      known = { bytes, hash: contentHash(bytes) };
      if (at === generation) rendered.set(name, known);
    }
    return known;
  }
  const v3 = (path: string) =>
    render(`v3 ${path}`, async () => {
      const document = openApiV3(path, await source());
      if (!document) throw errors.unknownPath();
      return utf8(JSON.stringify(document));
    });
  async function v3Index(): Promise<Uint8Array> {
    const from = await source();
    const paths: string[] = [];
    openApiV3Index(from, path => {
      paths.push(path);
      return '';
    });
    const hashes = new Map<string, string>();
    for (const path of paths) hashes.set(path, (await v3(path)).hash);
    return utf8(JSON.stringify(openApiV3Index(from, path => hashes.get(path) ?? '')));
  }

  return {
    async serve(exchange, path) {
      if (!path.startsWith('/openapi/')) return undefined;
      const accept = exchange.request.headers['accept'] ?? '';
      if (path === '/openapi/v2') {
        const json = () => render('v2', async () => utf8(JSON.stringify(openApiV2(await source()))));
        if (!accept.includes('proto-openapi.spec.v2')) return answer(exchange, await json(), 'application/json');
        const binary = await render('v2 protobuf', async () => encodeOpenApiV2(openApiV2(await source())));
        return answer(exchange, binary, protobufV2);
      }
      if (accept.includes(protobufV3) && !/json|\*\/\*/.test(accept))
        throw errors.notAcceptable('only the following media types are accepted: application/json');
      if (path === '/openapi/v3') return answer(exchange, await render('v3', v3Index), 'application/json');
      const [, name] = /^\/openapi\/v3\/(.+)$/.exec(path) ?? [];
      if (name === undefined) return undefined;
      const document = await v3(name);
      const asked = exchange.request.query.get('hash');
      if (asked && asked !== document.hash) return moved(`/openapi/v3/${name}?hash=${document.hash}`);
      return answer(exchange, document, 'application/json');
    },
  };
}

/** Who knows an older document is led to the newest. */
function moved(location: string): ApiResponse {
  const response = respond(301, 'text/html; charset=utf-8', utf8(`<a href="${location}">Moved Permanently</a>.\n\n`));
  return { ...response, headers: { ...response.headers, location } };
}

function answer({ request }: Exchange, { bytes, hash }: Rendered, contentType: string): ApiResponse {
  const etag = `"${hash}"`;
  const headers: Record<string, string> = { etag, vary: 'Accept' };
  if (request.query.get('hash') === hash) {
    headers['cache-control'] = 'public, immutable';
    headers['expires'] = 'Thu, 31 Dec 2037 23:55:55 GMT';
  }
  const known = (request.headers['if-none-match'] ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return { status: 304, headers };
  const response = respond(200, contentType, bytes);
  return { ...response, headers: { ...response.headers, ...headers } };
}
