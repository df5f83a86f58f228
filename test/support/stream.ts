/**
 * Started inside a namespace. `server NAME PORT`: returns every byte, on TCP; `client ADDRESS PORT MS`: sends and awaits a byte again and again
 * over one connection, and prints "alive" when it lived as long as asked for, or the error's code.
 */
import { connect, createServer } from 'node:net';

const [role = '', target = '', port = '0', lifeMs = '0'] = process.argv.slice(2);
if (role === 'server') {
  const server = createServer(socket => socket.on('error', () => {}).pipe(socket));
  server.listen(Number(port), () => console.log('ready'));
} else {
  const socket = connect({ host: target, port: Number(port), timeout: 1000 });
  const finish = (text: string) => {
    console.log(text);
    process.exit(0);
  };
  const end = performance.now() + Number(lifeMs);
  socket.on('connect', () => {
    console.log('connected');
    socket.write('x');
  });
  socket.on('data', () => {
    if (performance.now() > end) finish('alive');
    else setTimeout(() => socket.write('x'), 5);
  });
  socket.on('timeout', () => finish('timeout'));
  socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'error'));
}
