/** Started inside a namespace: answers every TCP connection and UDP packet with "<name> <client address>". */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const [name = '', port = '8080'] = process.argv.slice(2);
const tcp = createServer(socket => {
  socket.on('error', () => {});
  socket.end(`${name} ${socket.remoteAddress?.replace('::ffff:', '')}\n`);
});
tcp.listen(Number(port), () => {
  const udp = createSocket('udp6');
  const plain = (address: string) => address.replace('::ffff:', '');
  udp.on('message', (_message, from) => udp.send(`${name} ${plain(from.address)}\n`, from.port, from.address));
  udp.bind(Number(port), () => console.log('ready'));
});
