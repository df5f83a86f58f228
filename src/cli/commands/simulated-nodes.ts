import { createSimulatedNodes } from '../../kubelet/index.ts';
import { command } from '../command.ts';
import { clientFor } from '../run/connect.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { reportReady } from '../supervisor.ts';

export const simulatedNodes = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server' },
    count: { type: 'number', default: 1, help: 'how many nodes' },
    prefix: { type: 'string', default: 'node-', help: 'what their names begin with' },
  },
  async run(flags) {
    startWithParent();
    const environment = hostEnvironment('simulated-nodes');
    const client = clientFor(flags.kubeconfig, 'kubelet', environment);
    const nodes = createSimulatedNodes({
      count: flags.count,
      prefix: flags.prefix,
      client,
      environment,
      events: flags.count <= 10,
    });
    await nodes.start();
    environment.log.info('The nodes are registered');
    reportReady();
    await stopSignal({ withParent: true });
    await nodes.stop();
    await client.transport.close();
  },
});
