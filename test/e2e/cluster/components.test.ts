/** Every component as a process of its own, wired with upstream's flags, in one network namespace. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Deployment } from '../../../src/api/types/index.ts';
import { clusterGrants } from '../../../src/cli/run/addons.ts';
import { writeKubeconfig } from '../../../src/pki/index.ts';
import { createNamespace, type Namespace } from '../../support/netns.ts';
import { type Part, startPart } from '../../support/processes.ts';

const tsukube = join(import.meta.dirname, '..', '..', '..', 'bin', 'tsukube');
const isRoot = process.getuid?.() === 0;

describe('components alone', { skip: isRoot ? false : 'needs root for a network namespace' }, () => {
  let directory: string;
  let namespace: Namespace;
  const parts: Part[] = [];
  let kubeconfig: string;
  const kubectl = (...args: string[]) => namespace.run('kubectl', '--kubeconfig', kubeconfig, ...args);
  const start = async (ready: RegExp, ...args: string[]) => {
    parts.push(await startPart(namespace, [tsukube, ...args], ready));
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'parts-'));
    namespace = await createNamespace('parts');
    const pki = join(directory, 'pki');
    await start(
      /API server is ready/,
      'apiserver',
      `--data-dir=${directory}/store`,
      `--cert-dir=${pki}`,
      '--bind-address=127.0.0.1',
      '--secure-port=6443',
      '--advertise-address=10.0.0.1',
    );
    kubeconfig = join(directory, 'kubeconfig');
    const read = (name: string) => readFileSync(join(pki, name), 'utf8');
    writeKubeconfig(kubeconfig, {
      server: 'https://127.0.0.1:6443',
      authority: read('ca.crt'),
      user: 'admin',
      credentials: { certificate: read('admin.crt'), key: read('admin.key') },
    });
    const as = (user: string) => {
      const path = join(directory, `${user}.kubeconfig`);
      const credentials = { certificate: read(`${user}.crt`), key: read(`${user}.key`) };
      writeKubeconfig(path, { server: 'https://127.0.0.1:6443', authority: read('ca.crt'), user, credentials });
      return `--kubeconfig=${path}`;
    };
    await kubectl('create', 'serviceaccount', 'kube-dns', '--namespace=kube-system');
    const token = (await kubectl('create', 'token', 'kube-dns', '--namespace=kube-system')).trim();
    const dns = join(directory, 'dns.kubeconfig');
    writeKubeconfig(dns, {
      server: 'https://127.0.0.1:6443',
      authority: read('ca.crt'),
      user: 'dns',
      credentials: { token },
    });
    const roles = join(directory, 'roles.json');
    writeFileSync(roles, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: clusterGrants.map(g => g.object) }));
    await kubectl('apply', '-f', roles);
    await start(
      /The controller manager is ready/,
      'controller-manager',
      as('controller-manager'),
      `--cert-dir=${pki}`,
      '--cluster-cidr=10.42.0.0/16',
    );
    await start(/The scheduler is ready/, 'scheduler', as('scheduler'));
    await start(/The nodes are registered/, 'simulated-nodes', `--kubeconfig=${kubeconfig}`, '--count=2');
    await start(/DNS is ready/, 'dns', `--kubeconfig=${dns}`, '--bind-address=127.0.0.1', '--port=5353');
    await start(
      /proxy is ready/,
      'proxy',
      as('kube-proxy'),
      '--hostname-override=node-0',
      '--cluster-cidr=10.128.0.0/9',
    );
  });
  after(async () => {
    for (const part of parts.reverse()) await part.stop();
    await namespace?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a deployment and its service go through all of them', async () => {
    await kubectl('create', 'deployment', 'web', '--image=web:1', '--replicas=3', '--port=80');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    await kubectl('expose', 'deployment', 'web');
    const address = (await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')).trim();
    const ask = `const { Resolver } = require('node:dns/promises'); const r = new Resolver(); r.setServers(['127.0.0.1:5353']);
      (async () => { for (let i = 0; i < 50; i++) { try { console.log((await r.resolve4('web.default.svc.cluster.local')).join()); return; } catch { await new Promise(f => setTimeout(f, 100)); } } })()`;
    assert.equal((await namespace.run(process.execPath, '-e', ask)).trim(), address);
    let rules = '';
    for (let i = 0; i < 50 && !rules.includes(address); i++) {
      rules = await namespace.run('nft', 'list', 'map', 'ip', 'tsukube-services', 'services');
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    assert.match(rules, new RegExp(`${address.replaceAll('.', '\\.')} \\. tcp \\. 80 : goto pick_masquerade_3`));
  });

  const page = (url: string) => namespace.run('curl', '-sgm', '5', '-w', '\n%{http_code}', url);

  test('the proxy says how it is, by upstream’s names', async () => {
    const [body = '', code] = (await page('http://127.0.0.1:10256/healthz')).split('\n');
    assert.equal(code, '200');
    const health = JSON.parse(body);
    assert.deepEqual([health.nodeEligible, health.healthy, Object.keys(health.status)], [true, true, ['IPv4']]);
    assert.match(await page('http://127.0.0.1:10256/livez'), /"healthy":true/);
    assert.equal(await page('http://127.0.0.1:10249/proxyMode'), 'nftables\n200');
    const metrics = await page('http://127.0.0.1:10249/metrics');
    assert.match(metrics, /^kubeproxy_sync_proxy_rules_duration_seconds_count\{ip_family="IPv4"\} [1-9]/m);
  });

  test('the proxy knows the ranges of services and its node’s addresses from the API', async () => {
    const table = await namespace.run('nft', 'list', 'table', 'ip', 'tsukube-services');
    assert.match(table, /ip daddr 10\.43\.0\.0\/16 fib daddr type != local reject/);
    const own = await kubectl('get', 'node', 'node-0', '-o', 'jsonpath={.status.addresses[0].address}');
    assert.match(
      table,
      new RegExp(`ip daddr ${own.trim().replaceAll('.', '\\.')} meta l4proto \\. th dport vmap @node_ports`),
    );
  });

  test('internalTrafficPolicy Local and a health-check port count the endpoints of the proxy’s own node', async () => {
    const count = async () => {
      const nodes = await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].spec.nodeName}');
      return nodes.split(' ').filter(name => name === 'node-0').length;
    };
    const expose = ['expose', 'deployment', 'web', '--name=near', '--port=80', '--type=LoadBalancer'];
    const own = (await kubectl('get', 'node', 'node-0', '-o', 'jsonpath={.status.addresses[0].address}')).trim();
    await namespace.run('ip', 'address', 'add', `${own}/32`, 'dev', 'lo');
    const spec = { spec: { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' } };
    await kubectl(...expose, `--overrides=${JSON.stringify(spec)}`);
    const value = async (path: string) => (await kubectl('get', 'service', 'near', '-o', `jsonpath={${path}}`)).trim();
    const [address, port] = [await value('.spec.clusterIP'), await value('.spec.healthCheckNodePort')];
    let rules = '';
    for (let i = 0; i < 50 && !rules.includes(address); i++)
      rules = await namespace.run('nft', 'list', 'map', 'ip', 'tsukube-services', 'services');
    const here = await count();
    assert.match(
      rules,
      new RegExp(`${address.replaceAll('.', '\\.')} \\. tcp \\. 80 : goto pick_masquerade_${here}\\b`),
    );
    const health = await namespace.run('curl', '-sim', '5', `http://${own}:${port}/`);
    assert.match(health, /^HTTP\/1\.1 200 OK/);
    assert.match(health, new RegExp(`x-load-balancing-endpoint-weight: ${here}\\b`, 'i'));
    assert.match(health, new RegExp(`"localEndpoints": ${here}\\b`));
  });

  test('DNS knows the namespace of a pod that asks, and tells how it is', async () => {
    const [pod = ''] = (await kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.podIP}')).split(' ');
    await namespace.run('ip', 'address', 'add', `${pod}/32`, 'dev', 'lo');
    const ask = (
      from: string,
    ) => `const { Resolver } = require('node:dns/promises'); const r = new Resolver(); r.setServers(['127.0.0.1:5353']);
      r.setLocalAddress('${from}'); r.resolve4('web.default.svc.default.svc.cluster.local').then(a => console.log(a.join()), e => console.log(e.code));`;
    const address = (await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}')).trim();
    assert.equal((await namespace.run(process.execPath, '-e', ask(pod))).trim(), address);
    assert.equal((await namespace.run(process.execPath, '-e', ask('127.0.0.1'))).trim(), 'ENOTFOUND');
    for (const path of ['health', 'ready']) assert.equal(await page(`http://127.0.0.1:9153/${path}`), 'OK\n200');
    const metrics = await page('http://127.0.0.1:9153/metrics');
    assert.match(metrics, /^coredns_dns_responses_total\{.*rcode="NXDOMAIN".*\} [1-9]/m);
  });

  test('a simulated node in another process has no logs, and its made-up address is not called', async () => {
    await assert.rejects(kubectl('logs', 'deployment/web'), /node node-\d is simulated in another process/);
  });

  test('each of them acts as itself, and needs no more than its rights', async () => {
    const refused = (await kubectl('get', '--raw', '/metrics')).match(/^apiserver_request_total\{.*code="40[13]".*$/gm);
    assert.equal(refused, null);
    const accounts = await kubectl('get', 'serviceaccounts', '--namespace=kube-system', '--output=name');
    for (const name of ['deployment-controller', 'replicaset-controller', 'endpointslice-controller'])
      assert.match(accounts, new RegExp(`serviceaccount/${name}$`, 'm'));
    const web = await kubectl('get', 'deployment', 'web', '--output=json', '--show-managed-fields');
    const managers = (JSON.parse(web) as Deployment).metadata.managedFields?.map(({ manager }) => manager);
    assert.deepEqual([...new Set(managers)].sort(), ['kube-controller-manager', 'kubectl-create']);
  });

  test('the proxy takes its rules away when asked', async () => {
    await namespace.run('sh', tsukube, 'proxy', '--cleanup');
    assert.doesNotMatch(await namespace.run('nft', 'list', 'ruleset'), /tsukube-services/);
  });
});
