/** Content negotiation (upstream: k8s.io/apiserver/pkg/endpoints/handlers/negotiation). */
import { errors } from '../../base/errors.ts';

export type Format = 'json' | 'yaml' | 'protobuf';
type Shape = 'object' | 'table' | 'partial' | 'partial-list' | 'discovery';

export interface Negotiated {
  readonly format: Format;
  /** What the client wants in place of the object itself. */
  readonly shape: Shape;
  /** For the response's content-type. */
  readonly contentType: string;
  readonly pretty: boolean;
}

const formats = new Map<string, Format>([
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/vnd.kubernetes.protobuf', 'protobuf'],
  ['*/*', 'json'],
  ['application/*', 'json'],
]);
const mediaTypes: Record<Format, string> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};
const whole = Object.values(mediaTypes);
const streamed = [mediaTypes.json, mediaTypes.protobuf].map(type => `${type};stream=watch`);
/** What routes of built-in resources produce. Those of lists are also those of watches. */
export const representations = { one: whole, list: [...whole, ...streamed] } as const;

interface Clause {
  type: string;
  parameters: Record<string, string>;
  quality: number;
}

function parseClause(text: string): Clause {
  const [type = '', ...rest] = text.split(';').map(part => part.trim());
  const parameters: Record<string, string> = Object.create(null);
  for (const part of rest) {
    const eq = part.indexOf('=');
    if (eq > 0) parameters[part.slice(0, eq).toLowerCase()] = part.slice(eq + 1).replace(/^"|"$/g, '');
  }
  const quality = parameters['q'] === undefined ? 1 : Number(parameters['q']);
  const named = type === '*' ? '*/*' : type.toLowerCase();
  return { type: named, parameters, quality: Number.isFinite(quality) ? quality : 0 };
}

/** The best first: by quality, and of the same quality what is named before wildcards (upstream's goautoneg). */
function parseClauses(accept: string): Clause[] {
  const wildcards = ({ type }: Clause) => (type === '*/*' ? 2 : type.endsWith('/*') ? 1 : 0);
  return accept
    .split(',', 64)
    .map(parseClause)
    .filter(c => c.quality > 0)
    .sort((a, b) => b.quality - a.quality || wildcards(a) - wildcards(b));
}

/** What kinds of answers a request may be given. */
export interface Offer {
  readonly shapes: readonly Shape[];
  readonly formats: readonly Format[];
  /** The answer is a stream of events. */
  readonly stream?: boolean;
  /** The route produces only these, and refuses other types before anybody negotiates (built-in resources). */
  readonly produces?: readonly string[];
}

function shapeOf(p: Record<string, string>): Shape | undefined {
  const as = p['as'];
  if (as === undefined) return 'object';
  if (p['g'] === 'apidiscovery.k8s.io')
    return as === 'APIGroupDiscoveryList' && p['v'] === 'v2' ? 'discovery' : undefined;
  if (p['g'] !== 'meta.k8s.io' || p['v'] !== 'v1') return undefined;
  if (as === 'Table') return 'table';
  if (as === 'PartialObjectMetadata') return 'partial';
  return as === 'PartialObjectMetadataList' ? 'partial-list' : undefined;
}

const chosenBefore = new WeakMap<Offer, Map<string, Negotiated>>();
const cacheLimit = 200;

/** Chooses the first acceptable clause. Throws 406 when there is none. */
export function negotiate(accept: string | undefined, pretty: boolean, offer: Offer): Negotiated {
  let cache = chosenBefore.get(offer);
  if (!cache) chosenBefore.set(offer, (cache = new Map()));
  const key = pretty ? `${accept ?? ''}|pretty` : (accept ?? '');
  const known = cache.get(key);
  if (known) return known;
  const chosen = choose(accept ?? '*/*', pretty, offer);
  if (cache.size < cacheLimit && key.length < 1_000) cache.set(key, chosen);
  return chosen;
}

function choose(accept: string, pretty: boolean, offer: Offer): Negotiated {
  if (offer.produces) assertProduced(accept, offer.produces);
  for (const { type, parameters } of parseClauses(accept.trim() || '*/*')) {
    const format = formats.get(type);
    const shape = shapeOf(parameters);
    if (!format || !shape || !offered(offer, shape, format)) continue;
    // Upstream names the kind in the content type of discovery only.
    const suffix = shape === 'discovery' ? parameterText(parameters) : '';
    return {
      format,
      shape,
      contentType: mediaTypes[format] + suffix,
      pretty: pretty || parameters['pretty'] === '1',
    };
  }
  const accepted = offer.stream ? streamed : whole;
  throw errors.notAcceptable(`only the following media types are accepted: ${accepted.join(', ')}`);
}

/** Whole names of types only, and their parameters are not looked at (go-restful's Route.matchesAccept). */
function assertProduced(accept: string, produces: readonly string[]): void {
  const types = accept.split(',').map(clause => clause.split(';')[0]?.trim() ?? '');
  if (accept.trim() === '' || types.some(type => type === '*/*' || produces.includes(type))) return;
  throw errors.noRepresentation(produces);
}

/** Tables have no protobuf form; metadata has one whatever it is of (RequestScope.AllowsMediaTypeTransform). */
function offered({ shapes, formats }: Offer, shape: Shape, format: Format): boolean {
  if (!shapes.includes(shape)) return false;
  if (format === 'protobuf' && shape === 'table') return false;
  return formats.includes(format) || (format === 'protobuf' && (shape === 'partial' || shape === 'partial-list'));
}

function parameterText(p: Record<string, string>): string {
  return ['g', 'v', 'as'].map(k => (p[k] === undefined ? '' : `;${k}=${p[k]}`)).join('');
}

/** The format of a request body. Throws 415. */
export function bodyFormat(contentType: string | undefined): Format {
  const type = (contentType ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
  const format = type === '' ? 'json' : formats.get(type);
  if (!format || type.includes('*'))
    throw errors.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${whole.join(', ')}`,
    );
  return format;
}

/** What Go's ParseBool takes for true: the parameters of an operation are read in another way (`isTrue`). */
const prettyValues = /^(?:1|t|T|true|True|TRUE)$/;
const agentsOfPeople = /^(curl|Wget|Mozilla\/5\.0)/;

/** Browsers and curl like to read: upstream's rule for `pretty` left out. */
export function wantsPretty(query: URLSearchParams, headers: Readonly<Record<string, string>>): boolean {
  const asked = query.get('pretty');
  if (asked) return prettyValues.test(asked);
  return agentsOfPeople.test(headers['user-agent'] ?? '');
}
