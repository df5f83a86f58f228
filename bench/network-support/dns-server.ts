/** `dns`: the cluster's DNS with 1,000 services. `echo`: returns every datagram. Prints its port. */
import { createSocket } from 'node:dgram';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { createResponder } from '../../src/dns/answer.ts';
import { createDnsMeter } from '../../src/dns/meter.ts';
import { startDnsServer } from '../../src/dns/server.ts';
import { createZone } from '../../src/dns/zone.ts';

const clusterDomain = 'cluster.local';
if (process.argv[2] === 'echo') {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  socket.on('message', (message, from) => socket.send(message, from.port, from.address, () => {}));
  socket.bind(0, '127.0.0.1', () => console.log(socket.address().port));
} else {
  const zone = createZone({ clusterDomain, ttl: 5 });
  for (let i = 0; i < 1000; i++)
    zone.setService({
      metadata: { name: `web-${i}`, namespace: 'shop' },
      spec: { clusterIP: `10.43.${i >> 8}.${i & 255}`, clusterIPs: [`10.43.${i >> 8}.${i & 255}`] },
    });
  const forwarder = { resolve: async () => ({ code: 'NXDOMAIN' as const, answers: [], authorities: [] }) };
  const server = await startDnsServer({
    ...{ address: '127.0.0.1', port: 0, clock: systemClock, log: silentLogger },
    meter: createDnsMeter(createMetrics(), systemClock, clusterDomain),
    responder: createResponder({ zone, forwarder, clusterDomain }),
  });
  console.log(server.port);
}
