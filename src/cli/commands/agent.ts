import { hostname } from 'node:os';
import { messageOf } from '../../base/errors.ts';
import { hostAddresses } from '../../kubelet/host/machine.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { runAgent } from '../run/agent.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { parseJoinToken } from '../run/join.ts';
import { addressGone } from '../run/own-addresses.ts';
import { reportFatal, reportReady } from '../supervisor.ts';
import { dataDirFlag } from './shared.ts';

export const agent = command({
  flags: {
    'data-dir': dataDirFlag,
    server: { type: 'list', help: 'https://HOST:PORT of the API servers; several for a highly available cluster' },
    token: { type: 'string', help: 'what the server printed' },
    'node-name': { type: 'string', default: hostname().toLowerCase(), help: 'name of the node' },
    'node-ip': {
      type: 'list',
      help: 'addresses by which other nodes reach this one, one per family (default: the first of this machine)',
    },
    'nodeport-addresses': {
      type: 'list',
      help: 'ranges of this machine’s addresses on which node ports answer (default "primary": those of --node-ip)',
    },
    'kubelet-port': { type: 'number', default: 10_250, help: 'HTTPS port of the kubelet' },
  },
  async run(flags) {
    if (flags.server.length === 0 || flags.token === undefined) throw new UsageError('--server and --token are needed');
    const token = parseJoinToken(flags.token);
    const nodeIps = flags['node-ip'].length > 0 ? flags['node-ip'] : hostAddresses();
    startWithParent();
    const environment = hostEnvironment('agent');
    try {
      const node = await runAgent({
        environment,
        token,
        nodeIps,
        dataDir: flags['data-dir'],
        servers: flags.server,
        nodeName: flags['node-name'],
        kubeletPort: flags['kubelet-port'],
        nodePortAddresses: flags['nodeport-addresses'],
      });
      environment.log.info('The node has joined', { node: flags['node-name'] });
      reportReady();
      const stopping = new AbortController();
      const gone = addressGone(node.addresses, environment.clock, stopping.signal);
      const ending = await Promise.race([stopSignal({ withParent: true }), gone.then(address => ({ gone: address }))]);
      stopping.abort(new Error('the agent stops'));
      if (typeof ending === 'string') {
        if (ending === 'orphaned') await node.release();
        else await node.stop();
        return 0;
      }
      environment.log.error('The node’s address is gone; started again, the agent takes the present one', {
        address: ending.gone,
      });
      await node.release();
      return 1;
    } catch (error) {
      reportFatal(messageOf(error));
      throw error;
    }
  },
});
