/** HTTP/1.1 requests and upgrades as `ApiRequest`s. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ApiResponse, ByteStream, Handler, Peer } from '../../api/transport.ts';
import { byteStreamOf } from '../../client/node/byte-stream.ts';
import { http } from '../../client/node/http.ts';
import type { OpenBodies } from './open-bodies.ts';
import { pump } from './pump.ts';
import { IncomingRequest, readBody, tooLargeResponse } from './request.ts';

export function serveRequest1(
  handle: Handler,
  request: IncomingMessage,
  response: ServerResponse,
  peer: Peer,
  bodies: OpenBodies,
): void {
  response.on('error', () => {});
  request.on('error', () => {});
  request.socket.setTimeout(0);
  answer(handle, request, response, peer, bodies).catch(() => response.destroy());
}

async function answer(
  handle: Handler,
  request: IncomingMessage,
  response: ServerResponse,
  peer: Peer,
  bodies: OpenBodies,
): Promise<void> {
  const { method = 'GET', url: target = '/', headers } = request;
  const body = hasBody(request) ? await readBody(request, bodies) : new Uint8Array(0);
  if (!body) {
    response.shouldKeepAlive = false;
    return send(response, tooLargeResponse(bodies.limits.body), false);
  }
  const incoming = new IncomingRequest({ method, target, headers, peer }, body.length > 0 ? body : undefined);
  response.once('close', () => incoming.leave());
  const result = await handle(incoming);
  await send(response, result, method === 'HEAD');
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

async function send(response: ServerResponse, result: ApiResponse, head: boolean): Promise<void> {
  response.writeHead(result.status, result.headers);
  const { body } = result;
  if (head || body === undefined) {
    response.end();
    if (body !== undefined && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
    return;
  }
  if (body instanceof Uint8Array) {
    response.end(body);
    return;
  }
  response.flushHeaders();
  await pump(body, response);
}

/** The handler may take the connection over; if it answers instead, the answer is sent and the connection closed. */
export async function serveUpgrade(
  handle: Handler,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  peer: Peer,
): Promise<void> {
  let taken = false;
  const upgrade = async (status: number, headers: Record<string, string>): Promise<ByteStream> => {
    taken = true;
    socket.write(headText(status, headers));
    return byteStreamOf(socket, head);
  };
  const { method = 'GET', url: target = '/', headers } = request;
  const incoming = new IncomingRequest({ method, target, headers, peer }, undefined, upgrade);
  socket.once('close', () => incoming.leave());
  socket.on('error', () => socket.destroy());
  socket.setTimeout(0);
  try {
    const result = await handle(incoming);
    if (!taken) await refuse(socket, result);
  } catch {
    socket.destroy();
  }
}

function headText(status: number, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`);
  return `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? 'Unknown'}\r\n${lines.join('')}\r\n`;
}

async function refuse(socket: Socket, { status, headers, body }: ApiResponse): Promise<void> {
  const { 'content-length': _length, ...rest } = headers;
  socket.write(headText(status, { ...rest, connection: 'close' }));
  if (body instanceof Uint8Array) socket.end(body);
  else if (body) await pump(body, socket);
  else socket.end();
}

/** The whole answer to what could not be read as a request. */
export function malformedResponse(status: number): string {
  const message = http.STATUS_CODES[status] ?? '';
  const said = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason: 'BadRequest' };
  const body = JSON.stringify({ ...said, code: status });
  const headers = { 'content-type': 'application/json', 'content-length': `${body.length}`, connection: 'close' };
  return headText(status, headers) + body;
}
