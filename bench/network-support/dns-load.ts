/** `PORT MS NAME`: keeps 64 questions on the way ("*": a thousand names in turn) and prints how many were answered per second. */
import { createSocket } from 'node:dgram';
import { encode } from 'dns-packet';

const [port = '0', forMs = '1000', name = ''] = process.argv.slice(2);
const names = name === '*' ? Array.from({ length: 1000 }, (_, i) => `web-${i}.shop.svc.cluster.local`) : [name];
const questions = names.map(n => encode({ id: 1, type: 'query', flags: 0x100, questions: [{ name: n, type: 'A' }] }));
const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
let sent = 0;
let answered = 0;
const ask = () => {
  const question = questions[sent++ % questions.length];
  if (question) socket.send(question);
};
socket.on('message', () => {
  answered += 1;
  ask();
});
await new Promise<void>(resolve => socket.connect(Number(port), '127.0.0.1', resolve));
for (let i = 0; i < 64; i++) ask();
const warmUp = 500;
await new Promise(resolve => setTimeout(resolve, warmUp));
const before = answered;
const start = performance.now();
await new Promise(resolve => setTimeout(resolve, Number(forMs)));
console.log(Math.round(((answered - before) * 1000) / (performance.now() - start)));
process.exit(0);
