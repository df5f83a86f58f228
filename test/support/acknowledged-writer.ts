/**
 * Started inside a namespace: creates config maps through the API as fast as answers come, four at a time, until SIGTERM; prints the name of each that
 * was acknowledged, one line each. Failures are tried again with the next name, so that a name without acknowledgement proves nothing.
 */
import { createClient } from '../../src/client/index.ts';
import { http2Transport, loadKubeconfig, resolveContext, transportOptionsOf } from '../../src/client/node/index.ts';

const [kubeconfig = '', ...servers] = process.argv.slice(2);
const options = transportOptionsOf(resolveContext(loadKubeconfig([kubeconfig])));
const clients = servers.map(server => createClient(http2Transport({ ...options, server })));
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});

async function write(worker: number): Promise<void> {
  let preferred = worker % clients.length;
  for (let i = 0; !stopping; i++) {
    const name = `load-${worker}-${i}`;
    try {
      const signal = AbortSignal.timeout(3000);
      await clients[preferred]
        ?.configmaps('default')
        .create({ metadata: { name }, data: { worker: String(worker) } }, { signal });
      console.log(name);
    } catch {
      preferred = (preferred + 1) % clients.length;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
}
console.log('ready');
await Promise.all([0, 1, 2, 3].map(write));
process.exit(0);
