/** The command line as people use and misuse it: simulated nodes, two clusters on one machine, snapshots, and what it says when it cannot. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createMachine, type Machine } from '../../support/machine.ts';
import { whyNoContainers } from '../../support/node.ts';

const skip = whyNoContainers() ?? false;
const readyNodes = "kubectl get nodes --no-headers | grep -c ' Ready '";

describe('the command line', { skip, timeout: 240_000 }, () => {
  let machine: Machine;
  before(async () => {
    machine = await createMachine('cli');
  });
  after(() => machine?.destroy());

  it('says what is wrong, and exits with 2', async () => {
    for (const [command, complaint] of [
      ['tsukube frobnicate', /unknown command "frobnicate"/],
      ['tsukube up --nonsense', /nonsense/],
      ['tsukube up --nodes simulated:0', /must be "real" or "simulated:N"/],
      ['tsukube up --nodes many', /must be "real" or "simulated:N"/],
      ['tsukube up --port seven', /port/],
      ['tsukube up --cluster-cidr 10.42.0.0', /"10.42.0.0" for "--cluster-cidr"/],
      ['tsukube up --node-ip fd00::1', /no IPv4 address/],
      ['tsukube snapshot', /usage: tsukube snapshot/],
    ] as const) {
      const { code, err } = await machine.run(`${command} --data-dir ${machine.dataDir}`);
      assert.match(err, complaint, command);
      assert.equal(code, 2, command);
    }
  });
  it('knows that there is nothing', async () => {
    assert.equal((await machine.run(`tsukube status --data-dir ${machine.dataDir}`)).code, 3);
    assert.match(await machine.ok(`tsukube down --data-dir ${machine.dataDir}`), /No cluster is running/);
    assert.match(await machine.ok(`tsukube reset --data-dir ${machine.dataDir}/none`), /There is no cluster/);
    const other = await machine.run(`tsukube reset --data-dir ${machine.dir}`);
    assert.equal(other.code, 1);
    assert.match(other.err, /holds no cluster; nothing was deleted/);
  });
  it('gives simulated nodes, and does not start twice', async () => {
    const up = `tsukube up --detach --nodes simulated:3 --data-dir ${machine.dataDir}`;
    assert.match(await machine.ok(up, 90), /Simulated nodes ready/);
    await machine.until(readyNodes, /^3$/m, 20);
    await machine.ok('kubectl create deployment web --image=nginx --replicas=3');
    await machine.ok('kubectl rollout status deployment/web --timeout=30s', 40);
    assert.match(await machine.ok(up), /is running already/);
    const image = await machine.run(`tsukube image ls --data-dir ${machine.dataDir}`);
    assert.match(image.err, /no (running )?node with a container runtime/);
  });
  it('saves a snapshot while it runs, and restores it into another cluster', async () => {
    const file = join(machine.dir, 'snapshot');
    assert.match(await machine.ok(`tsukube snapshot save --data-dir ${machine.dataDir} ${file}`), /revision \d+/);
    await machine.ok('kubectl create configmap later');
    const running = await machine.run(`tsukube snapshot restore --data-dir ${machine.dataDir} ${file}`);
    assert.match(running.err, /the cluster is running/);
    await machine.ok(`tsukube down --data-dir ${machine.dataDir}`, 90);
    const saved = await machine.ok(`tsukube snapshot status ${file}`);
    assert.match(saved, /state [0-9a-f]{16}/);
    await machine.ok(`mv ${machine.dataDir}/store ${machine.dir}/store-before`);
    await machine.ok(`tsukube snapshot restore --data-dir ${machine.dataDir} ${file}`);
    await machine.ok(`tsukube up --detach --data-dir ${machine.dataDir}`, 90);
    assert.match(await machine.ok('kubectl get deployment web'), /^web /m);
    assert.equal((await machine.run('kubectl get configmap later')).code, 1);
    await machine.ok(`tsukube reset --data-dir ${machine.dataDir}`, 90);
    assert.deepEqual(await machine.leftovers(), []);
  });
  it('makes a cluster of both families, whose ranges stay', async () => {
    const up = `tsukube up --detach --data-dir ${machine.dataDir}`;
    await machine.ok(
      `${up} --cluster-cidr 10.202.0.0/16,fd20:42::/48 --service-cluster-ip-range 10.203.0.0/16,fd20:43::/112`,
      120,
    );
    await machine.until('kubectl get nodes --no-headers', / Ready /, 30);
    const ranges = await machine.ok("kubectl get nodes -o jsonpath='{.items[0].spec.podCIDRs[*]}'");
    assert.equal(ranges.trim(), '10.202.0.0/24 fd20:42::/64');
    const own = await machine.ok(
      'kubectl get nodes -o jsonpath=\'{.items[0].status.addresses[?(@.type=="InternalIP")].address}\'',
    );
    assert.match(own.trim(), /^10\.\d+\.0\.1 fd54:[0-9a-f:]+::1$/);
    await machine.ok('kubectl create service loadbalancer both --tcp=80');
    await machine.ok(`kubectl patch service both -p '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}'`);
    const ingress = "kubectl get service both -o jsonpath='{.spec.clusterIPs[*]} {.status.loadBalancer.ingress[*].ip}'";
    await machine.until(ingress, /^10\.203\.\S+ fd20:43::\S+ 10\.\d+\.0\.2 fd54:\S+::2$/m, 20);
    await machine.ok(`tsukube down --data-dir ${machine.dataDir}`, 90);
    const other = await machine.run(`${up} --cluster-cidr 10.99.0.0/16`);
    assert.equal(other.code, 2);
    assert.match(other.err, /was made with --cluster-cidr=10\.202\.0\.0\/16,fd20:42::\/48, which cannot be changed/);
    await machine.ok(`tsukube reset --data-dir ${machine.dataDir}`, 90);
    assert.deepEqual(await machine.leftovers(), []);
  });
  it('runs two clusters beside each other', async () => {
    const dirs = ['one', 'two'].map(name => join(machine.dir, name));
    for (const [i, dir] of dirs.entries()) await machine.ok(`tsukube up --detach --name c${i} --data-dir ${dir}`, 120);
    for (const [i] of dirs.entries()) {
      await machine.until(`kubectl --context c${i} get nodes --no-headers`, / Ready /, 30);
      await machine.ok(`kubectl --context c${i} create configmap of-c${i}`);
    }
    assert.equal((await machine.run('kubectl --context c0 get configmap of-c1')).code, 1);
    await machine.ok(`tsukube reset --data-dir ${dirs[0]}`, 90);
    assert.deepEqual(await machine.leftovers(dirs[0]), []);
    assert.match(await machine.ok('kubectl --context c1 get nodes'), / Ready /);
    await machine.ok(`tsukube reset --data-dir ${dirs[1]}`, 90);
    assert.deepEqual(await machine.leftovers(dirs[1]), []);
  });
  it('works without root, and says that the node is simulated', async () => {
    const user = 65534;
    chmodSync(machine.dir, 0o755);
    chownSync(machine.dir, user, user);
    chownSync(machine.kubeconfig, user, user);
    const dir = join(machine.dir, 'plain');
    const started = await machine.run(`tsukube up --detach --data-dir ${dir}`, { user, seconds: 90 });
    assert.equal(started.code, 0, started.out + started.err);
    assert.match(started.out, /not root, so the cluster gets one simulated node/);
    await machine.until(readyNodes, /^1$/m, 20);
    const stopped = await machine.run(`tsukube reset --data-dir ${dir}`, { user, seconds: 90 });
    assert.equal(stopped.code, 0, stopped.out + stopped.err);
  });
});
