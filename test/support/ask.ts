/** Started inside a namespace: connects so many times and prints what each connection said, or the error's code, one line each. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const [address = '', port = '0', times = '1', protocol = 'tcp', localPort = '0'] = process.argv.slice(2);

function askTcp(): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host: address, port: Number(port), timeout: 1500 });
    socket.on('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.on('timeout', () => {
      socket.destroy();
      resolve('timeout');
    });
  });
}
function askUdp(): Promise<string> {
  return new Promise(resolve => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const finish = (text: string) => {
      clearTimeout(timer);
      socket.close();
      resolve(text);
    };
    const timer = setTimeout(() => finish('timeout'), 1500);
    socket.on('message', message => finish(message.toString().trim()));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'error'));
    socket.bind(Number(localPort), () => socket.connect(Number(port), address, () => socket.send('hello')));
  });
}
for (let i = 0; i < Number(times); i++) console.log(await (protocol === 'udp' ? askUdp() : askTcp()));
process.exit(0);
