/** Small HTTP servers of components: health and metrics. An address that is taken is said in the log, as upstream does. */
import type { AddressInfo } from 'node:net';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { http } from '../../client/node/http.ts';
import type { Pages } from '../../proxy/pages.ts';
import { UsageError } from '../flags.ts';

export interface PageServer {
  readonly port: number;
  close(): Promise<void>;
}

/** "host:port", "[v6]:port" or ":port". Undefined for an empty text, which switches the server off. */
export function parseBindAddress(text: string): { host: string; port: number } | undefined {
  if (text === '') return undefined;
  const match = /^\[?([^\]]*?)\]?:(\d+)$/.exec(text);
  if (!match) throw new UsageError(`"${text}" is not an address like 127.0.0.1:10249`);
  return { host: match[1] || '0.0.0.0', port: Number(match[2]) };
}

/** Resolves when it listens; without a server, and a warning, when it cannot. Port 0 takes a free one. */
export async function servePages(
  pages: Pages,
  at: { readonly host: string; readonly port: number },
  log: Logger,
): Promise<PageServer | undefined> {
  const server = http.createServer((request, response) => {
    const page = pages[new URL(request.url ?? '/', 'http://localhost').pathname];
    if (!page) {
      response.writeHead(404).end('404 page not found\n');
      return;
    }
    const { status, type, body } = page();
    response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(body);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at.port, at.host, resolve);
    });
  } catch (error) {
    log.warn('an address for health and metrics cannot be opened', { ...at, error: messageOf(error) });
    return undefined;
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
