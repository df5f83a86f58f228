/**
 * The README's tour, command by command, from a fresh clone on a machine of its own. Only what a test must add is added: a data directory, and
 * images from this machine's packages instead of a registry.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isAlive } from '../../../src/base/node/processes.ts';
import { ociArchive } from '../../../src/kubelet/images/oci-archive.ts';
import { nginxDraft, redisDraft } from '../../support/images.ts';
import { checkout, cloneCheckout, createMachine, type Machine } from '../../support/machine.ts';
import { whyNoContainers } from '../../support/node.ts';

const wanted = ['/usr/sbin/nginx', '/usr/bin/redis-server', '/usr/bin/kubectl', '/usr/bin/curl', '/usr/bin/git'];
const missing = wanted.filter(path => !existsSync(path));
const skip = whyNoContainers() ?? (missing.length > 0 ? `needs ${missing.join(', ')}` : false);

/** The commands between the tour's heading and the next, without comments. */
function tourCommands(): string[] {
  const readme = readFileSync(join(checkout, 'README.md'), 'utf8');
  const section = /^## A five-minute tour\n([\s\S]*?)^## /m.exec(readme)?.[1] ?? '';
  const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(match => match[1] ?? '');
  return blocks.flatMap(block => block.split('\n')).filter(line => line !== '' && !line.startsWith('#'));
}

describe('the quick start', { skip, timeout: 300_000 }, () => {
  let machine: Machine;
  let clone: string;
  let startedAt = 0;
  let startSeconds = 0;
  const remaining = tourCommands();

  /** Runs the tour's next command, which must be the one given here, as a reader would. */
  async function tour(command: string, seconds = 60): Promise<string> {
    assert.equal(remaining.shift(), command, 'the README and this test have gone apart');
    const ours = /^(npm start|bin\/tsukube)/.test(command);
    return machine.ok(ours ? `${command} --data-dir ${machine.dataDir}` : command, seconds);
  }
  const say = (what: string, seconds: number, target: string) =>
    console.log(`${what.padEnd(46)} ${seconds.toFixed(2)} s (target ${target})`);
  const elapsed = () => (performance.now() - startedAt) / 1000;
  const secondsIn = (text: string, line: RegExp) => Number(line.exec(text)?.[1] ?? Number.NaN);

  const ids = "kubectl get pods -o jsonpath='{.items[*].status.containerStatuses[*].containerID}'";
  function supervisor(): { pid: number; children: number[] } {
    const { pid } = JSON.parse(readFileSync(join(machine.dataDir, 'run/supervisor.json'), 'utf8')) as { pid: number };
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    return { pid, children };
  }
  /** Resolves when others have taken their place. */
  async function killChildren(): Promise<void> {
    const { pid, children } = supervisor();
    assert.equal(children.length, 2);
    for (const child of children) process.kill(child, 'SIGKILL');
    const other = new RegExp(`^(?!.*\\b(${children.join('|')})\\b)\\d+ \\d+ ?$`);
    await machine.until(`cat /proc/${pid}/task/${pid}/children`, other, 20);
  }
  /** Resolves when the processes that it supervised are gone, too. */
  async function killSupervisor(): Promise<void> {
    const { pid, children } = supervisor();
    process.kill(pid, 'SIGKILL');
    const deadline = performance.now() + 20_000;
    while (children.some(isAlive)) {
      assert.ok(performance.now() < deadline, 'the processes that were supervised live on');
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }

  before(async () => {
    clone = await mkdtemp(join(tmpdir(), 'tsk-clone-'));
    await cloneCheckout(clone);
    execFileSync('sh', ['scripts/setup.sh', '--start'], { cwd: clone, stdio: ['ignore', 'ignore', 'inherit'] });
    machine = await createMachine('tour', clone);
  });
  after(async () => {
    await machine?.destroy();
    await rm(clone, { recursive: true, force: true });
  });

  it('starts with one command', async () => {
    startedAt = performance.now();
    const said = await tour('npm start -- --detach', 90);
    assert.match(said, /Ready\. Try: kubectl/);
    say('API ready, from the process’s start', secondsIn(said, /API server ready .*\(([\d.]+) s\)/), '≤ 1 s');
    say('node Ready, from the process’s start', secondsIn(said, /Node .* ready \(([\d.]+) s\)/), '≤ 4 s');
    startSeconds = elapsed();
    say('the whole of npm start', startSeconds, 'none');
    assert.match(await tour('bin/tsukube status'), /nodes +1 of 1 ready/);
    assert.match(await tour('kubectl get nodes'), / Ready +control-plane/);
  });

  it('takes images without a registry', async () => {
    for (const [name, draft] of Object.entries({
      'nginx-1.28': nginxDraft('1.28'),
      'nginx-1.29': nginxDraft('1.29'),
      'redis-8': redisDraft('8'),
    })) {
      const file = join(machine.dir, `${name}.tar`);
      writeFileSync(file, ociArchive(draft));
      assert.match(await machine.ok(`tsukube image import --data-dir ${machine.dataDir} ${file}`), /^imported /);
    }
    assert.match(await machine.ok(`tsukube image ls --data-dir ${machine.dataDir}`), /library\/redis:8/);
    const before = performance.now();
    await machine.ok('kubectl run first --image=nginx:1.28 --restart=Never');
    await machine.ok("kubectl wait --for=jsonpath='{.status.phase}'=Running pod/first --timeout=30s");
    const podSeconds = (performance.now() - before) / 1000;
    say('first pod Running, from its creation', podSeconds, 'none');
    say('npm start, and then the first pod Running', startSeconds + podSeconds, '≤ 6 s');
    await machine.ok('kubectl delete pod first --grace-period=1');
  });

  it('runs a web server and a database with a volume', async () => {
    await tour('kubectl apply -f examples/quick-start');
    await tour('kubectl rollout status deployment/web --timeout=60s', 70);
    await tour('kubectl rollout status statefulset/database --timeout=60s', 70);
    const listing = await tour('kubectl get pods,services,persistentvolumeclaims');
    assert.match(listing, /pod\/database-0 +1\/1 +Running/);
    assert.match(listing, /persistentvolumeclaim\/data-database-0 +Bound .* local /);
  });

  it('reaches them by address, service and name', async () => {
    const page = /Welcome/;
    const address = "kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].ip}'";
    await machine.until(address, /^\d/, 10);
    assert.match(await tour(`curl -s http://$(${address})/`), page);
    assert.match(await tour('kubectl exec deployment/web -- curl -s http://web.default.svc.cluster.local/'), page);
    const clusterIp = "kubectl get service web -o jsonpath='{.spec.clusterIP}'";
    assert.match(await machine.ok(`curl -sm 5 http://$(${clusterIp})/`), page);
    const stored = await tour('kubectl exec database-0 -- redis-cli -h database set greeting hello');
    assert.equal(stored.trim(), 'OK');
  });

  it('scales, and updates without a failed request', async () => {
    await tour('kubectl scale deployment/web --replicas=4');
    await tour('kubectl rollout status deployment/web --timeout=60s', 70);
    const ip = await machine.ok("kubectl get service web -o jsonpath='{.status.loadBalancer.ingress[0].ip}'");
    const load = machine.background(process.execPath, join(checkout, 'test/support/load.ts'), `http://${ip}/version`);
    let result = '';
    try {
      await machine.until(`curl -sm 5 http://${ip}/version`, /1\.28/, 5);
      await tour('kubectl set image deployment/web nginx=nginx:1.29');
      await tour('kubectl rollout status deployment/web --timeout=60s', 70);
      // The last of the old pods is still leaving: requests must not meet it any more.
      await machine.until('kubectl get pods --selector app=web --no-headers | wc -l', /^4$/m, 30);
    } finally {
      result = await load.stop();
    }
    const { ok, failed, bodies } = JSON.parse(result) as { ok: number; failed: string[]; bodies: string[] };
    console.log(`${ok} requests during the update, ${failed.length} failed`);
    assert.deepEqual(failed, []);
    assert.deepEqual(bodies.sort(), ['1.28', '1.29']);
    assert.ok(ok > 100, `only ${ok} requests were made`);
  });

  it('replaces a pod that is killed', async () => {
    await tour('kubectl delete "$(kubectl get pods --selector app=web --output name | head -n 1)"');
    await tour('kubectl wait --for=condition=Available deployment/web --timeout=60s', 70);
    await machine.until("kubectl get deployment web -o jsonpath='{.status.readyReplicas}'", /^4$/, 30);
  });

  it('keeps containers when the agent and the API server are killed', async () => {
    const before = await machine.ok(ids);
    await killChildren();
    await machine.until('kubectl get nodes', / Ready /, 20);
    assert.equal(await machine.until(ids, /containerd/, 20), before);
  });

  it('keeps containers when everything is killed, the supervisor too, and started again', async () => {
    const before = await machine.ok(ids);
    // The agent's start then waits for an API server that does not come.
    await killChildren();
    await killSupervisor();
    await machine.ok(`npm start -- --detach --data-dir ${machine.dataDir}`, 60);
    await machine.until('kubectl get nodes', / Ready /, 20);
    assert.equal(await machine.until(ids, /containerd/, 20), before);
  });

  it('drains the node and takes it back', async () => {
    const node = '--selector node-role.kubernetes.io/control-plane';
    assert.match(await tour(`kubectl drain ${node} --ignore-daemonsets --timeout=60s`, 70), /drained|evicted/);
    assert.match(await machine.ok('kubectl get pods'), /database-0 +0\/1 +Pending/);
    assert.match(await tour(`kubectl uncordon ${node}`), /uncordoned/);
    await machine.ok('kubectl rollout status deployment/web --timeout=60s', 70);
    await machine.ok('kubectl rollout status statefulset/database --timeout=60s', 70);
    assert.equal((await machine.ok('kubectl exec database-0 -- redis-cli get greeting')).trim(), 'hello');
  });

  it('stops, and starts again with all data', async () => {
    await tour('bin/tsukube down', 90);
    assert.equal((await machine.run(`bin/tsukube status --data-dir ${machine.dataDir}`)).code, 3);
    startedAt = performance.now();
    await tour('npm start -- --detach', 90);
    say('start again, until the command is back', elapsed(), 'none');
    const read = 'kubectl exec database-0 -- redis-cli get greeting';
    await machine.until(read, /^hello$/m, 30);
    say('… and until the database answers', elapsed(), 'none');
    assert.equal((await tour(read)).trim(), 'hello');
    await machine.until("kubectl get deployment web -o jsonpath='{.status.readyReplicas}'", /^4$/, 30);
  });

  it('leaves nothing when it is reset, although its supervisor was killed', async () => {
    await killSupervisor();
    await tour('bin/tsukube reset', 90);
    assert.deepEqual(await machine.leftovers(), []);
    assert.doesNotMatch(readFileSync(machine.kubeconfig, 'utf8'), /tsukube/);
    assert.deepEqual(remaining, [], 'commands of the README that were not run');
  });
});
