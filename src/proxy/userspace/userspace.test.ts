import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { type LogFields, type Logger, silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { chooseProxyBackend } from '../choose.ts';
import type { Backend, Frontend } from '../model.ts';
import { createBalancer, inRange } from './balancer.ts';
import { createUserspaceProxy, type UserspaceProxy } from './index.ts';
import { nodeRelaySockets } from './relay.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const frontend = (rest: Partial<Frontend>): Frontend => ({
  family: 'ip',
  protocol: 'tcp',
  address: '127.0.0.1',
  port: 0,
  backends: [],
  preserveSource: false,
  whenEmpty: 'reject',
  ...rest,
});
const backendsOf = (...ports: number[]): Backend[] => ports.map(port => ({ ip: '127.0.0.1', port }));

function proxy(log: Logger = silentLogger): UserspaceProxy {
  const made = createUserspaceProxy({ sockets: nodeRelaySockets(systemClock), podCidrs: [], clock: systemClock, log });
  cleanups.push(() => made.remove());
  return made;
}
const onlyPort = (p: UserspaceProxy) => {
  const [port] = p.ports().values();
  assert.ok(port);
  return port;
};

/** Says its name, then returns what it hears, until the client ends. */
async function tcpBackend(name: string): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    socket.write(`${name} `);
    socket.pipe(socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise(resolve => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}
async function udpBackend(name: string): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => socket.send(`${name} ${message}`, from.port, from.address));
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise<void>(resolve => socket.close(resolve)));
  return socket.address().port;
}
/** What a client hears until the end of the connection, or the error's code. */
function call(port: number, say = ''): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    let heard = '';
    socket.on('data', chunk => {
      heard += chunk;
    });
    socket.once('end', () => resolve(heard));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.end(say);
  });
}
async function repeat(times: number, work: () => Promise<string>): Promise<string[]> {
  const out: string[] = [];
  for (let i = 0; i < times; i++) out.push((await work()).trim());
  return out;
}

test('TCP goes to the backends in turn, and half-closed connections carry everything', async () => {
  const p = proxy();
  const ports = [await tcpBackend('a'), await tcpBackend('b')];
  await p.load(new Map([['x/web', [frontend({ backends: backendsOf(...ports) })]]]));
  assert.deepEqual(await repeat(4, () => call(onlyPort(p))), ['a', 'b', 'a', 'b']);
  const long = 'x'.repeat(1 << 20);
  assert.equal((await call(onlyPort(p), long)).length, long.length + 2);
});

test('a backend that cannot be reached is passed by; when all cannot, the connection is reset', async () => {
  const p = proxy();
  const dead = createServer();
  await new Promise<void>(resolve => dead.listen(0, '127.0.0.1', resolve));
  const { port: deadPort } = dead.address() as AddressInfo;
  await new Promise(resolve => dead.close(resolve));
  const alive = await tcpBackend('a');
  await p.load(new Map([['x/web', [frontend({ backends: backendsOf(deadPort, alive) })]]]));
  assert.deepEqual(await repeat(4, () => call(onlyPort(p))), ['a', 'a', 'a', 'a']);
  await p.load(new Map([['x/web', [frontend({ backends: backendsOf(deadPort) })]]]));
  assert.equal(await call(onlyPort(p)), 'ECONNRESET');
});

test('a frontend without backends refuses, and established connections outlive it', async () => {
  const p = proxy();
  const port = await tcpBackend('a');
  await p.load(new Map([['x/web', [frontend({ backends: backendsOf(port) })]]]));
  const front = onlyPort(p);
  const socket = connect(front, '127.0.0.1');
  await once(socket, 'data');
  await p.update(new Map([['x/web', [frontend({})]]]));
  assert.equal(await call(front), 'ECONNREFUSED');
  socket.write('still');
  assert.equal(String((await once(socket, 'data'))[0]), 'still');
  socket.destroy();
});

test('session affinity keeps a client with its backend until that is gone', async () => {
  const p = proxy();
  const [a, b] = [await tcpBackend('a'), await tcpBackend('b')];
  const sticky = (...ports: number[]) =>
    new Map([['x/web', [frontend({ backends: backendsOf(...ports), affinitySeconds: 60 })]]]);
  await p.load(sticky(a, b));
  assert.deepEqual(await repeat(3, () => call(onlyPort(p))), ['a', 'a', 'a']);
  await p.update(sticky(b));
  assert.deepEqual(await repeat(2, () => call(onlyPort(p))), ['b', 'b']);
});

test('UDP keeps a flow with its backend and moves it when the backend goes', async () => {
  const p = proxy();
  const [a, b] = [await udpBackend('a'), await udpBackend('b')];
  const service = (...ports: number[]) =>
    new Map([['x/dns', [frontend({ protocol: 'udp', backends: backendsOf(...ports) })]]]);
  await p.load(service(a, b));
  const client = createSocket('udp4');
  cleanups.push(() => new Promise<void>(resolve => client.close(resolve)));
  const ask = async () => {
    client.send('hi', onlyPort(p), '127.0.0.1');
    return String((await once(client, 'message'))[0]);
  };
  assert.deepEqual(await repeat(3, ask), ['a hi', 'a hi', 'a hi']);
  await p.update(service(b));
  assert.deepEqual(await repeat(2, ask), ['b hi', 'b hi']);
});

test('an address that cannot be bound is told once and does not hold up the others', async () => {
  const said: LogFields[] = [];
  const p = proxy({ ...silentLogger, warn: (_m, fields) => said.push(fields ?? {}) });
  const port = await tcpBackend('a');
  const services = new Map([
    ['x/far', [frontend({ address: '192.0.2.1', port: 80, backends: backendsOf(port) })]],
    ['x/sctp', [frontend({ protocol: 'sctp', backends: backendsOf(port) })]],
    ['x/web', [frontend({ backends: backendsOf(port) })]],
  ]);
  await p.load(services);
  await p.update(services);
  assert.equal((await call(onlyPort(p))).trim(), 'a');
  assert.deepEqual(said.map(fields => fields['frontend']).sort(), ['127.0.0.1 sctp 0', '192.0.2.1 tcp 80']);
});

test('two services of one address: the first has it, the second takes over', async () => {
  const p = proxy();
  const [a, b] = [await tcpBackend('a'), await tcpBackend('b')];
  await p.load(new Map([['x/one', [frontend({ backends: backendsOf(a) })]]]));
  await p.update(new Map([['x/two', [frontend({ backends: backendsOf(b) })]]]));
  assert.equal((await call(onlyPort(p))).trim(), 'a');
  await p.update(new Map([['x/one', []]]));
  assert.equal((await call(onlyPort(p))).trim(), 'b');
});

test('sources, callers from inside, and affinity that runs out', () => {
  const clock = virtualClock();
  const [near, far] = [
    { ip: '10.1.0.2', port: 1 },
    { ip: '10.1.1.2', port: 1 },
  ] as const;
  const balancer = createBalancer(
    frontend({ backends: [near], internalBackends: [near, far], sources: ['192.0.2.0/24', '10.1.0.0/16'] }),
    ['10.1.0.0/16'],
    clock,
  );
  const choose = (client: string, local = '192.0.2.1') => balancer.choose({ client, local }, []);
  assert.equal(choose('203.0.113.1'), undefined);
  assert.deepEqual([choose('192.0.2.7'), choose('192.0.2.7')], [near, near]);
  assert.deepEqual([choose('10.1.5.5'), choose('192.0.2.1')], [near, far]);
  assert.equal(inRange('fd00::1', '10.0.0.0/8'), false);
  assert.equal(inRange('::ffff:10.0.0.1', '10.0.0.0/8'), true);
});

test('affinity lasts as long as asked for', async () => {
  const clock = virtualClock();
  const all = backendsOf(1, 2);
  const balancer = createBalancer(frontend({ backends: all, affinitySeconds: 10 }), [], clock);
  const choose = () => balancer.choose({ client: '192.0.2.7', local: '' }, [])?.port;
  assert.deepEqual([choose(), choose()], [1, 1]);
  await clock.advance(9000);
  assert.equal(choose(), 1);
  await clock.advance(10_001);
  assert.equal(choose(), 2);
});

test('the choice of a backend: nftables when the probe passes, user space when it fails', async () => {
  const scripts: string[] = [];
  const options = {
    ...{ table: 't', podCidrs: [], families: ['ip'] as const, clock: systemClock },
    ...{ log: silentLogger, metrics: createMetrics() },
  };
  const kernel = await chooseProxyBackend({
    ...options,
    run: async script => {
      scripts.push(script);
    },
  });
  await kernel.load(new Map());
  assert.equal(scripts.length, 2);
  const user = await chooseProxyBackend({
    ...options,
    run: async () => {
      throw new Error('Operation not supported');
    },
  });
  assert.ok('ports' in user);
});
