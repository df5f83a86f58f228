import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInformerFactory } from '../../client/index.ts';
import { milliseconds, parseThresholds } from '../../kubelet/eviction/thresholds.ts';
import { detectMachine, hostAddresses } from '../../kubelet/host/machine.ts';
import { createLinuxNode } from '../../kubelet/linux-node.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { clientFor } from '../run/connect.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { reportReady } from '../supervisor.ts';

export const kubelet = command({
  flags: {
    kubeconfig: { type: 'string', help: 'how to reach the API server, as system:node:NAME' },
    'hostname-override': { type: 'string', default: hostname().toLowerCase(), help: 'name of the node' },
    'node-ip': { type: 'list', help: 'addresses of the node (default: the first of this machine)' },
    'root-dir': {
      type: 'string',
      default: '/var/lib/tsukube-kubelet',
      help: 'pods’ volumes and files, and the images of a containerd of our own',
    },
    'container-runtime-endpoint': { type: 'string', help: 'CRI socket; default: a containerd of our own' },
    'cgroup-root': { type: 'string', default: '/kubepods', help: 'cgroup under which pods get theirs' },
    'cluster-dns': { type: 'list', help: 'name servers that pods are given' },
    'cluster-domain': { type: 'string', default: 'cluster.local', help: 'domain of the cluster' },
    'cni-bin-dir': { type: 'string', default: '/usr/lib/cni', help: 'CNI plugins' },
    'cni-conf-dir': { type: 'string', default: '/etc/cni/net.d', help: 'CNI configuration' },
    'pod-manifest-path': { type: 'string', help: 'folder of static pods' },
    'manifest-url': { type: 'string', help: 'where static pods are fetched from' },
    'pod-logs-dir': { type: 'string', default: '/var/log/pods', help: 'folder of containers’ logs' },
    'max-pods': { type: 'number', default: 110, help: 'pods at most' },
    'eviction-hard': { type: 'list', help: 'memory.available<100Mi,nodefs.available<10% …: pods are evicted at once' },
    'eviction-soft': { type: 'list', help: 'as eviction-hard, after a grace period' },
    'eviction-soft-grace-period': { type: 'list', help: 'memory.available=1m30s …' },
    'eviction-minimum-reclaim': { type: 'list', help: 'how much more than a threshold must be free again' },
    'eviction-max-pod-grace-period': { type: 'number', default: 0, help: 'seconds a pod gets at a soft threshold' },
    'eviction-pressure-transition-period': { type: 'string', default: '5m0s', help: 'how long a pressure lingers' },
    address: { type: 'string', default: '0.0.0.0', help: 'address of the kubelet’s server' },
    port: { type: 'number', default: 10_250, help: 'HTTPS port of the kubelet’s server' },
    'tls-cert-file': { type: 'string', help: 'certificate of the kubelet’s server; without it there is no server' },
    'tls-private-key-file': { type: 'string', help: 'key of the certificate' },
    'client-ca-file': { type: 'string', help: 'authority of the clients that may call' },
  },
  async run(flags) {
    startWithParent();
    const environment = hostEnvironment('kubelet');
    const client = clientFor(flags.kubeconfig, 'kubelet', environment);
    const informers = createInformerFactory(client, environment);
    const stopping = new AbortController();
    const root = flags['root-dir'];
    const endpoint = flags['container-runtime-endpoint']?.replace(/^unix:\/\//, '');
    const server = serverOptions(flags);
    const [directory, url] = [flags['pod-manifest-path'], flags['manifest-url']];
    const node = await createLinuxNode({
      environment,
      client,
      informers,
      nodeName: flags['hostname-override'],
      machine: await detectMachine('/', flags['node-ip'].length > 0 ? flags['node-ip'] : hostAddresses()),
      directories: {
        kubelet: root,
        containerd: join(root, 'containerd'),
        state: '/run/tsukube-kubelet',
        logs: flags['pod-logs-dir'],
      },
      cgroupRoot: flags['cgroup-root'],
      cni: { binDir: flags['cni-bin-dir'], confDir: flags['cni-conf-dir'] },
      clusterDns: { servers: [...flags['cluster-dns']], domain: flags['cluster-domain'] },
      maxPods: flags['max-pods'],
      eviction: {
        thresholds: parseThresholds({
          hard: flags['eviction-hard'],
          soft: flags['eviction-soft'],
          softGracePeriod: flags['eviction-soft-grace-period'],
          minimumReclaim: flags['eviction-minimum-reclaim'],
        }),
        maxPodGraceSeconds: flags['eviction-max-pod-grace-period'],
        transitionMs: milliseconds(flags['eviction-pressure-transition-period']),
      },
      ...(endpoint !== undefined && { runtimeEndpoint: endpoint }),
      ...(server && { server }),
      ...((directory !== undefined || url !== undefined) && {
        staticPods: { ...(directory !== undefined && { directory }), ...(url !== undefined && { url }) },
      }),
    });
    informers.start(stopping.signal);
    await node.start();
    reportReady();
    await stopSignal({ withParent: true });
    await node.release();
    stopping.abort(new Error('the kubelet stops'));
    await client.transport.close();
  },
});

interface ServerFlags {
  readonly address: string;
  readonly port: number;
  readonly 'tls-cert-file': string | undefined;
  readonly 'tls-private-key-file': string | undefined;
  readonly 'client-ca-file': string | undefined;
}

function serverOptions(
  flags: ServerFlags,
): { host: string; port: number; tls: { cert: string; key: string; clientCa: string } } | undefined {
  const paths = [flags['tls-cert-file'], flags['tls-private-key-file'], flags['client-ca-file']];
  if (paths.every(path => path === undefined)) return undefined;
  const [cert, key, clientCa] = paths.map(path => {
    if (path === undefined)
      throw new UsageError('--tls-cert-file, --tls-private-key-file and --client-ca-file belong together');
    return readFileSync(path, 'utf8');
  });
  return { host: flags.address, port: flags.port, tls: { cert: cert ?? '', key: key ?? '', clientCa: clientCa ?? '' } };
}
