/** A loopback port that leads to the first API server that answers, so that a node survives the loss of one. TLS passes through. */
import { connect, createServer, type Socket } from 'node:net';
import type { Logger } from '../../base/log.ts';

export interface Forwarder {
  readonly port: number;
  close(): Promise<void>;
}

const connectTimeoutMs = 2_000;

/** `targets`: "https://host:port" each. */
export async function startForwarder(targets: readonly string[], log: Logger): Promise<Forwarder> {
  const servers = targets.map(target => {
    const url = new URL(target);
    return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
  });
  let preferred = 0;
  const open = new Set<Socket>();

  function track(socket: Socket): void {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
  }

  async function reach(): Promise<Socket | undefined> {
    for (let i = 0; i < servers.length; i++) {
      const index = (preferred + i) % servers.length;
      const server = servers[index];
      const socket = server && (await tryConnect(server));
      if (!socket) continue;
      if (index !== preferred) log.info('The node uses another API server now', { server: targets[index] ?? '' });
      preferred = index;
      return socket;
    }
    return undefined;
  }

  const listener = createServer({ pauseOnConnect: true }, client => {
    track(client);
    void reach().then(server => {
      if (!server || client.destroyed) {
        client.destroy();
        server?.destroy();
        return;
      }
      track(server);
      client.pipe(server);
      server.pipe(client);
      client.once('close', () => server.destroy());
      server.once('close', () => client.destroy());
    });
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', resolve);
  });
  const address = listener.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise<void>(resolve => listener.close(() => resolve()));
    },
  };
}

function tryConnect(server: { host: string; port: number }): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = connect({ ...server, timeout: connectTimeoutMs });
    const give = (result: Socket | undefined) => {
      socket.removeAllListeners();
      socket.setTimeout(0);
      if (!result) socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => give(socket));
    socket.once('error', () => give(undefined));
    socket.once('timeout', () => give(undefined));
  });
}
