import { command } from '../command.ts';
import { clientFor } from '../run/connect.ts';
import { hostEnvironment, stopSignal } from '../run/environment.ts';
import { schedulerFor } from '../run/scheduler.ts';
import { loadSchedulerConfiguration } from '../run/scheduler-configuration.ts';
import { serveScheduler } from '../run/scheduler-endpoint.ts';
import { reportReady } from '../supervisor.ts';

export const scheduler = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server' },
    config: { type: 'string', help: 'file with a KubeSchedulerConfiguration: profiles, plugins, extenders' },
    'local-port': {
      type: 'number',
      help: 'port on 127.0.0.1 for /healthz, /metrics and /why/NAMESPACE/POD; default none',
    },
    'leader-elect': { type: 'boolean', default: true, help: 'work only while holding the lease' },
  },
  async run(flags) {
    const environment = hostEnvironment('scheduler');
    const loaded = flags.config === undefined ? {} : await loadSchedulerConfiguration(flags.config);
    const client = clientFor(flags.kubeconfig, 'kube-scheduler', environment);
    const running = schedulerFor({ environment, client, leaderElect: flags['leader-elect'], ...loaded });
    await running.start();
    const port = flags['local-port'];
    const endpoint = port === undefined ? undefined : await serveScheduler(running, environment.metrics, port);
    environment.log.info('The scheduler is ready');
    reportReady();
    await stopSignal();
    await endpoint?.close();
    await running.stop();
    await client.transport.close();
  },
});
