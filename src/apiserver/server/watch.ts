/** WATCH: a stream of frames from the kind's cache. Frames are encoded once per event and media type and shared by all watchers. */
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf } from '../../api/schema.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { type ApiError, errors } from '../../base/errors.ts';
import { aggregate, field } from '../registry/field-errors.ts';
import { utf8 } from '../storage/encoding.ts';
import type { CacheEvent, Entry, KindCache } from '../storage/kind-cache.ts';
import { toApiError } from '../storage/object-store.ts';
import { protobufBytes, watchFrameProtobuf } from './codec.ts';
import { FrameQueue } from './frame-queue.ts';
import { countLasting } from './guard.ts';
import { type Negotiated, negotiate, type Offer, representations } from './negotiation.ts';
import { type ListParameters, listParameters, parseRevision } from './options.ts';
import { entryEncoder, partialOf, servedObject } from './output.ts';
import { groupResource, objectOffer, storeOf } from './read.ts';
import type { Scope, Served } from './scope.ts';
import { type Selection, selectionOf } from './selection.ts';
import { type IncludeObject, includeObject, table } from './table.ts';

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** Encodes the events of one watch. */
interface FrameEncoder {
  /** Absent: no two watches get the same frames. */
  readonly name?: string;
  entry(type: EventType, entry: Entry, event: CacheEvent | undefined): Uint8Array;
  value(type: EventType, value: object): Uint8Array;
}

const prefixes: Record<EventType, Uint8Array> = {
  ADDED: utf8('{"type":"ADDED","object":'),
  MODIFIED: utf8('{"type":"MODIFIED","object":'),
  DELETED: utf8('{"type":"DELETED","object":'),
  BOOKMARK: utf8('{"type":"BOOKMARK","object":'),
  ERROR: utf8('{"type":"ERROR","object":'),
};

function jsonFrame(type: EventType, object: Uint8Array): Uint8Array {
  const prefix = prefixes[type];
  const out = new Uint8Array(prefix.length + object.length + 2);
  out.set(prefix, 0);
  out.set(object, prefix.length);
  out[out.length - 2] = 0x7d;
  out[out.length - 1] = 0x0a;
  return out;
}

function frameEncoder(scope: Scope, served: Served, media: Negotiated): FrameEncoder {
  const frame = media.format === 'protobuf' ? watchFrameProtobuf : jsonFrame;
  const value = (type: EventType, object: object) =>
    frame(type, media.format === 'protobuf' ? protobufBytes(object) : utf8(JSON.stringify(object)));
  if (media.shape === 'table') return tableFrames(scope, served, value);
  const encoder = entryEncoder(served, { ...media, pretty: false });
  const named = (suffix: string) => ({
    ADDED: `${encoder.name}|ADDED${suffix}`,
    MODIFIED: `${encoder.name}|MODIFIED${suffix}`,
    DELETED: `${encoder.name}|DELETED${suffix}`,
    BOOKMARK: `${encoder.name}|BOOKMARK${suffix}`,
    ERROR: `${encoder.name}|ERROR${suffix}`,
  });
  const [names, previousNames] = [named(''), named('|previous')];
  return {
    name: encoder.name,
    value,
    entry(type, entry, event) {
      if (!event) return frame(type, encoder.encode(entry));
      const name = (entry === event.entry ? names : previousNames)[type];
      event.frames ??= new Map();
      let bytes = event.frames.get(name);
      if (!bytes) {
        bytes = frame(type, encoder.encode(entry));
        event.frames.set(name, bytes);
      }
      return bytes;
    },
  };
}

/** Column definitions come with the first event only. */
function tableFrames(scope: Scope, served: Served, value: FrameEncoder['value']): FrameEncoder {
  const include = includeObject(scope.request.query);
  let headers = true;
  function row(type: EventType, obj: Unstructured, shown: IncludeObject): Uint8Array {
    const { resourceVersion } = obj.metadata;
    const one = table(served, [obj], shown, scope.core.clock.now(), { resourceVersion }, headers);
    headers = false;
    return value(type, one);
  }
  return {
    value(type, object) {
      if (type === 'ERROR') return value(type, object);
      // The mark of the initial events' end is in the row's object, so there is always one.
      const obj = object as Unstructured;
      return row(type, obj, include === 'None' && obj.metadata.annotations ? 'Metadata' : include);
    },
    entry: (type, entry) => row(type, servedObject(served, entry), include),
  };
}

const customWatch: Offer = { shapes: objectOffer.shapes, formats: ['json'], stream: true };
const watchOffer: Offer = { ...customWatch, formats: ['json', 'protobuf'], produces: representations.list };

export async function watchObjects(scope: Scope, served: Served): Promise<ApiResponse> {
  const { request, core } = scope;
  const media = negotiate(request.headers['accept'], false, served.custom ? customWatch : watchOffer);
  const parameters = listParameters(request.query, true);
  const { cache } = storeOf(served);
  const selection = selectionOf(scope, served, cache, parameters);
  const revision = parseRevision(parameters.resourceVersion, why => {
    const { causes, message } = aggregate([field.invalid('resourceVersion', parameters.resourceVersion, why)]);
    const { group, resource: kind } = groupResource(served);
    return errors.invalid({ group, kind }, '', causes, message);
  });
  const encoder = frameEncoder(scope, served, media);
  const headers = { 'content-type': watchContentType(media) };
  try {
    if (revision === undefined) await core.cacher.fresh();
    else if (parameters.sendInitialEvents && revision > 0) await core.cacher.waitFor(revision);
  } catch (e) {
    throw toApiError(e);
  }
  const fromState = parameters.sendInitialEvents ?? (revision === undefined || revision === 0);
  if (!fromState && revision !== undefined && revision > 0 && revision < cache.oldest)
    return { status: 200, headers, body: single(encoder.value('ERROR', tooOld(revision, cache.oldest).status)) };
  const start = fromState || revision === undefined || revision === 0 ? undefined : revision;
  const body = openWatch({ scope, served, cache, selection, encoder, parameters, media, fromState, revision: start });
  return { status: 200, headers, body };
}

function watchContentType(media: Negotiated): string {
  if (media.format === 'protobuf') return 'application/vnd.kubernetes.protobuf;stream=watch';
  return media.contentType;
}

function tooOld(revision: number, oldest: number): ApiError {
  return errors.expired(`too old resource version: ${revision} (${oldest})`);
}

async function* single(frame: Uint8Array): AsyncGenerator<Uint8Array> {
  yield frame;
}

interface WatchInputs {
  scope: Scope;
  served: Served;
  cache: KindCache;
  selection: Selection;
  encoder: FrameEncoder;
  parameters: ListParameters;
  media: Negotiated;
  /** Begin with the state of now as ADDED events. */
  fromState: boolean;
  /** Else begin after this revision; undefined for "now". */
  revision: number | undefined;
}

/** Watches of the same name get the same frames. Undefined: tables, whose first frame differs. */
function sharedName({ scope, encoder, parameters, selection }: WatchInputs): string | undefined {
  if (encoder.name === undefined) return undefined;
  const { labelSelector, fieldSelector } = parameters;
  return `${encoder.name}|for|${scope.info.namespace}|${JSON.stringify([labelSelector, fieldSelector, selection.exactKey])}`;
}

/** The frame for an event as this selection sees it; undefined when it does not. */
function frameFor(event: CacheEvent, selection: Selection, encoder: FrameEncoder): Uint8Array | undefined {
  const { entry, previous } = event;
  if (!selection.inRange(entry.key)) return undefined;
  const matched = previous !== undefined && selection.matches(previous);
  if (event.deleted) return matched ? encoder.entry('DELETED', entry, event) : undefined;
  if (selection.matches(entry)) return encoder.entry(matched ? 'MODIFIED' : 'ADDED', entry, event);
  if (!matched) return undefined;
  return encoder.entry('DELETED', previous.at(event.revision), event);
}

function bookmark(served: Served, media: Negotiated, revision: number, initial: boolean): object {
  const metadata = {
    resourceVersion: String(revision),
    ...(initial && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
  };
  const obj = { kind: served.info.kind, apiVersion: apiVersionOf(served.info), metadata };
  return media.shape === 'partial' ? partialOf(served, obj as never) : obj;
}

const minimumMs = 1_800_000;

function openWatch(inputs: WatchInputs): AsyncIterable<Uint8Array> {
  const { scope, served, cache, selection, encoder, parameters, media } = inputs;
  const { core } = scope;
  const queue = new FrameQueue(initialFrames(inputs), () => close());
  const stop = () => queue.end();
  const channel = core.broadcasts.channel(cache, sharedName(inputs), event => frameFor(event, selection, encoder));
  const membership = channel.join(queue);
  const sendBookmark = () => {
    membership.catchUp();
    queue.push(encoder.value('BOOKMARK', bookmark(served, media, core.cacher.revision, false)));
  };
  const lasts =
    parameters.timeoutSeconds !== undefined && parameters.timeoutSeconds > 0
      ? parameters.timeoutSeconds * 1_000
      : minimumMs * (1 + core.random.next());
  const timer = core.clock.setTimer(stop, lasts, { background: true });
  const uncount = countLasting(core.metrics, scope.info);
  const unmark = parameters.allowWatchBookmarks ? core.bookmarks.add(sendBookmark) : undefined;
  scope.request.signal.addEventListener('abort', stop, { once: true });
  core.stopping.addEventListener('abort', stop, { once: true });
  const replaced = () => {
    membership.catchUp();
    queue.end();
  };
  served.custom?.replaced.addEventListener('abort', replaced, { once: true });
  function close(): void {
    membership.leave();
    timer.cancel();
    unmark?.();
    uncount();
    scope.request.signal.removeEventListener('abort', stop);
    core.stopping.removeEventListener('abort', stop);
    served.custom?.replaced.removeEventListener('abort', replaced);
  }
  if (scope.request.signal.aborted || core.stopping.aborted || served.custom?.replaced.aborted) stop();
  return queue;
}

/** What is sent before live events. Taken from the cache in the same turn as the subscription, so that nothing falls between. */
function initialFrames(inputs: WatchInputs): Iterator<Uint8Array> | undefined {
  const { scope, served, cache, selection, encoder, parameters, media, fromState, revision } = inputs;
  const now = scope.core.cacher.revision;
  if (fromState) {
    const { exactKey } = selection;
    const one = exactKey === undefined ? undefined : cache.get(exactKey);
    const items = exactKey === undefined ? cache.root.values(selection.start, selection.end) : one ? [one] : [];
    return stateFrames();
    function* stateFrames(): Generator<Uint8Array> {
      for (const entry of items)
        if (selection.inRange(entry.key) && selection.matches(entry)) yield encoder.entry('ADDED', entry, undefined);
      if (parameters.sendInitialEvents && parameters.allowWatchBookmarks)
        yield encoder.value('BOOKMARK', bookmark(served, media, now, true));
    }
  }
  if (revision === undefined) return undefined;
  const missed = cache.eventsAfter(revision);
  return missedFrames();
  function* missedFrames(): Generator<Uint8Array> {
    for (const event of missed) {
      const frame = frameFor(event, selection, encoder);
      if (frame) yield frame;
    }
  }
}
