import http from 'node:http';
import type { Socket } from 'node:net';

/** A connection to `target` ("host:port") through an HTTP proxy, by CONNECT. Rejects when the proxy refuses. */
export function tunnel(proxy: string, target: string): Promise<Socket> {
  const { protocol, hostname, port, username, password } = new URL(proxy);
  if (protocol !== 'http:') return Promise.reject(new Error(`proxy-url: only http: is supported, not ${protocol}`));
  const secret = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = username && { 'proxy-authorization': `Basic ${Buffer.from(secret).toString('base64')}` };
  return new Promise((resolve, reject) => {
    const call = http.request({
      ...{
        method: 'CONNECT',
        host: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port || 80),
        path: target,
        agent: false,
      },
      headers: { host: target, ...authorization },
    });
    call.once('connect', ({ statusCode }, socket: Socket) => {
      if (statusCode === 200) return resolve(socket);
      socket.destroy();
      return reject(new Error(`the proxy answered ${statusCode} to a connection to ${target}`));
    });
    call.once('error', reject);
    call.end();
  });
}
