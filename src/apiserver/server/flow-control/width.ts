/** How many seats a request takes (k8s.io/apiserver pkg/util/flowcontrol/request): lists take more, as they hold more memory. */
import type { Exchange } from '../filters.ts';
import type { RequestInfo } from '../request-info.ts';

export interface KindSize {
  readonly count: number;
  /** Bytes of one object, on average. */
  readonly average: number;
}
/** Undefined for what is not stored. */
export type SizeOf = (of: Pick<RequestInfo, 'group' | 'version' | 'resource'>) => KindSize | undefined;

const bytesPerSeat = 100_000;
/** What a list from the cache holds at once when it is streamed. */
const mostAtOnce = 1_000_000;
const mostSeats = 10;
/** The part of a level that one request may take. */
const largestShare = 0.15;

function asksForObjects({ info, request }: Exchange): boolean {
  if (!info.isResource || info.subresource || info.name) return false;
  if (info.verb === 'list') return true;
  if (info.verb !== 'watch') return false;
  const version = request.query.get('resourceVersion') ?? '';
  return version === '' || version === '0' || request.query.get('sendInitialEvents') === 'true';
}

/** @param nominal seats of the level, of which one request never takes more than a part. */
export function seatsOf(exchange: Exchange, nominal: number, sizeOf: SizeOf): number {
  if (!asksForObjects(exchange)) return 1;
  const { info, request } = exchange;
  const size = sizeOf(info);
  if (!size) return 1;
  const limit = Number(request.query.get('limit') ?? 0);
  const count = limit > 0 ? Math.min(limit, size.count) : size.count;
  const seats = Math.ceil(Math.min(count * size.average, mostAtOnce) / bytesPerSeat);
  return Math.max(1, Math.min(seats, mostSeats, Math.ceil(nominal * largestShare)));
}
