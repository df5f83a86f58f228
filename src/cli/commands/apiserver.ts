import { readFileSync } from 'node:fs';
import { messageOf } from '../../base/errors.ts';
import { command } from '../command.ts';
import { runApiServer } from '../run/apiserver.ts';
import { hostEnvironment, startWithParent, stopSignal } from '../run/environment.ts';
import { reportFatal, reportReady } from '../supervisor.ts';

const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));

export const apiserver = command({
  flags: {
    'data-dir': { type: 'string', default: '/var/lib/tsukube/store', help: 'directory of the embedded store' },
    'cert-dir': {
      type: 'string',
      default: '/var/lib/tsukube/pki',
      help: 'directory of certificates and keys; what is missing is made',
    },
    'secure-port': { type: 'number', default: 6443, help: 'HTTPS port' },
    'bind-address': { type: 'list', default: ['0.0.0.0'], help: 'addresses to listen on' },
    'advertise-address': {
      type: 'string',
      default: '127.0.0.1',
      help: 'address by which pods and nodes reach this server',
    },
    'service-cluster-ip-range': {
      type: 'list',
      default: ['10.43.0.0/16'],
      help: 'range of service addresses, one per family',
    },
    'service-node-port-range': { type: 'string', default: '30000-32767', help: 'range of node ports' },
    'service-account-issuer': { type: 'string', help: 'issuer of service-account tokens' },
    'cluster-domain': { type: 'string', default: 'cluster.local', help: 'DNS domain of the cluster' },
    'tls-san': { type: 'list', help: 'more names and addresses for the serving certificate' },
    'etcd-servers': { type: 'list', help: 'etcd endpoints to use instead of the embedded store' },
    'etcd-cafile': { type: 'string', help: 'authority of the etcd servers' },
    'etcd-certfile': { type: 'string', help: 'client certificate for etcd' },
    'etcd-keyfile': { type: 'string', help: 'key of the client certificate for etcd' },
    'etcd-prefix': { type: 'string', default: '/registry', help: 'prefix of all keys in etcd' },
    'token-auth-file': { type: 'string', help: 'CSV file of static tokens' },
    'enable-admission-plugins': { type: 'list', help: 'admission plugins to switch on besides the defaults' },
    'disable-admission-plugins': { type: 'list', help: 'admission plugins to switch off' },
  },
  async run(flags) {
    startWithParent();
    const environment = hostEnvironment('apiserver');
    const [from = 30_000, to = 32_767] = flags['service-node-port-range'].split('-').map(Number);
    const isAddress = (text: string) => /^[\d.]+$|:/.test(text);
    const staticTokens = read(flags['token-auth-file']);
    const [ca, cert, key] = [read(flags['etcd-cafile']), read(flags['etcd-certfile']), read(flags['etcd-keyfile'])];
    const endpoints = flags['etcd-servers'];
    try {
      const server = await runApiServer({
        environment,
        storeDirectory: flags['data-dir'],
        pkiDirectory: flags['cert-dir'],
        bindAddresses: flags['bind-address'],
        port: flags['secure-port'],
        advertiseAddress: flags['advertise-address'],
        serviceCidrs: flags['service-cluster-ip-range'],
        nodePortRange: { from, to },
        clusterDomain: flags['cluster-domain'],
        certificateNames: flags['tls-san'].filter(name => !isAddress(name)),
        certificateAddresses: flags['tls-san'].filter(isAddress),
        enableAdmission: flags['enable-admission-plugins'],
        disableAdmission: flags['disable-admission-plugins'],
        ...(flags['service-account-issuer'] !== undefined && { issuer: flags['service-account-issuer'] }),
        ...(staticTokens !== undefined && { staticTokens }),
        ...(endpoints.length > 0 && {
          etcd: {
            endpoints,
            prefix: flags['etcd-prefix'],
            ...(ca !== undefined && { ca }),
            ...(cert !== undefined && { cert }),
            ...(key !== undefined && { key }),
          },
        }),
      });
      environment.log.info('API server is ready', { port: server.port });
      reportReady();
      await stopSignal({ withParent: true });
      await server.close();
    } catch (error) {
      reportFatal(messageOf(error));
      throw error;
    }
  },
});
