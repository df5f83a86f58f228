/** get in every output form, describe, watch, and selections. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlCluster, whyNoKubectl } from '../../support/kubectl-server.ts';

const web = `apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec: {limits: [{type: Container, max: {cpu: "2"}, defaultRequest: {cpu: 100m}, default: {cpu: "1"}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: front}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "example.com/c:1", ports: [{containerPort: 80, name: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  tls: [{hosts: [example.com], secretName: cert}]
  rules:
  - host: example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: few}
spec: {hard: {configmaps: "9"}}
`;

describe('kubectl, reading', { skip: whyNoKubectl(31), concurrency: 3 }, () => {
  let cluster: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => cluster.ok(...args);
  const refused: KubectlServer['refused'] = (...args) => cluster.refused(...args);
  before(async () => {
    cluster = await startKubectlCluster();
    await cluster.given(web, 'apply', '-f', '-');
    await ok('rollout', 'status', 'deployment/web', '--timeout=60s');
  });
  after(() => cluster?.close());

  it('tables', async () => {
    assert.match(await ok('get', 'deploy'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 +\d+s\n$/);
    assert.match(
      await ok('get', 'deploy', 'web', '-o', 'wide'),
      /CONTAINERS +IMAGES +SELECTOR\n.* c +example\.com\/c:1 +app=web/,
    );
    assert.match(
      await ok('get', 'deploy,svc', '--show-kind', '--no-headers'),
      /^deployment\.apps\/web .*\nservice\/web +ClusterIP/,
    );
    assert.match(
      await ok('get', 'pods', '-L', 'app', '--show-labels'),
      /APP +LABELS\n(web-\S+ +1\/1 +Running +0 .* web +app=web,pod-template-hash=\w+\n){2}$/,
    );
    assert.match(await ok('get', 'all', '-l', 'app=web'), /^pod\/web-\S+ .*\n[\s\S]+^replicaset\.apps\/web-/m);
    assert.match(
      await ok('get', 'deploy', 'web', '--subresource=scale'),
      /^NAME +DESIRED +AVAILABLE +AGE\nweb +2 +2 +\d+s\n$/,
    );
    assert.match(
      await ok('get', 'nodes', '-o', 'wide'),
      /^NAME +STATUS +ROLES .* CONTAINER-RUNTIME\n\S+ +Ready +<none> .* v1\.35\.0 /,
    );
    assert.match(
      await ok('get', 'events.events.k8s.io'),
      /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\d+\w+ +Normal +\w+ +\w+\/\S+ /,
    );
  });
  it('a whole object, its names and parts of it', async () => {
    const forms: readonly [form: string, pattern: RegExp][] = [
      ['yaml', /^apiVersion: apps\/v1\nkind: Deployment\nmetadata:\n/],
      ['json', /^\{\n {4}"apiVersion": "apps\/v1",\n/],
      ['name', /^deployment\.apps\/web\n$/],
      ['jsonpath={.spec.template.spec.containers[0].ports[?(@.name=="http")].containerPort}', /^80$/],
      ['jsonpath-as-json={.metadata.labels}', /^\[\n +\{\n +"tier": "front"\n +\}\n\]\n$/],
      ['go-template={{.metadata.name}}/{{.spec.replicas}}', /^web\/2$/],
      ['custom-columns=N:.metadata.name,X:.none', /^N +X\nweb +<none>\n$/],
      ['custom-columns-file=columns', /^NAME +TIER\nweb +front\n$/],
    ];
    writeFileSync(join(cluster.folder, 'columns'), 'NAME TIER\n.metadata.name .metadata.labels.tier\n');
    for (const [form, pattern] of forms) assert.match(await ok('get', 'deploy', 'web', '-o', form), pattern, form);
    assert.doesNotMatch(await ok('get', 'deploy', 'web', '-o', 'yaml'), /managedFields/);
    assert.match(
      await ok('get', 'deploy', 'web', '-o', 'yaml', '--show-managed-fields'),
      /manager: kubectl-client-side-apply/,
    );
    assert.match(
      await ok('get', 'deploy', 'web', '-o', 'yaml', '--subresource=scale'),
      /^kind: Scale$[\s\S]+selector: app=web/m,
    );
    assert.match(await ok('get', 'pods', '-o', 'json'), /"kind": "List"/);
  });
  it('a selection, in an order, in pages', async () => {
    const names = async (...args: string[]) => (await ok('get', '-o', 'name', ...args)).trim().split('\n');
    assert.equal((await names('pods', '-l', 'app in (web),!none')).length, 2);
    assert.equal((await names('pods', '--field-selector=status.phase=Running,spec.nodeName!=none')).length, 2);
    for (const name of ['b', 'a', 'c']) await ok('create', 'configmap', `page-${name}`, `--from-literal=n=${name}`);
    const all = await names('configmaps');
    assert.deepEqual(await names('configmaps', '--chunk-size=1'), all);
    const sorted = await ok('get', 'cm', '--sort-by=.data.n', '-o', 'jsonpath={.items[*].data.n}');
    assert.equal(sorted, 'a b c');
    assert.match(await ok('get', 'cm', '--sort-by={.data.n}', '--no-headers'), /page-a .*\npage-b .*\npage-c /);
    assert.match(
      await refused('get', 'pods', '--field-selector=x=y'),
      /\(BadRequest\).*: field label not supported: x$/,
    );
    assert.match(
      await refused('get', 'cm', '--field-selector=x=y'),
      /"x" is not a known field selector: only "metadata\.name", "metadata\.namespace"$/,
    );
    assert.match(await refused('get', 'pods', '-l', 'a in (b'), /\(BadRequest\).*: unable to parse requirement: /);
  });
  it('what is not there', async () => {
    assert.equal(await refused('get', 'pods', 'none'), 'Error from server (NotFound): pods "none" not found');
    assert.equal(await refused('get', 'none'), 'error: the server doesn\'t have a resource type "none"');
    assert.equal(await ok('get', 'pods', 'none', '--ignore-not-found'), '');
    assert.match((await cluster.kubectl(['get', 'rc'])).err, /^No resources found in default namespace/);
    assert.match(await refused('describe', 'pod', 'none'), /pods "none" not found/);
  });
  it('describe, with what belongs to it', async () => {
    const about: readonly [args: string, ...patterns: RegExp[]][] = [
      [
        'deploy web',
        /^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available/m,
        /^NewReplicaSet: +web-\w+ \(2\/2/m,
        /ScalingReplicaSet .* deployment-controller +Scaled up replica set web-\w+ from 0 to 2/,
      ],
      [
        'pods -l app=web',
        /^Controlled By: +ReplicaSet\/web-/m,
        /^QoS Class: +Burstable/m,
        /Scheduled .* default-scheduler +Successfully assigned default\/web-/,
      ],
      ['node', /^Non-terminated Pods: +\(2 in total\)/m, /^ {2}cpu +200m \(\d+%\) +2 \(\d+%\)$/m],
      ['svc web', /^TargetPort: +http\/TCP/m, /^Endpoints: +10\.\S+:80,10\.\S+:80$/m],
      ['ingress web', /^ +\/ +web:80 \(10\.\S+:80,10\.\S+:80\)$/m, /cert terminates example\.com/],
      ['pdb web', /^Min available: +1$/m, /^ +Allowed disruptions: +1$/m],
      ['quota few', /^configmaps +\d+ +9$/m],
      ['ns default', /^ {2}configmaps +\d+ +9$/m, /^ Container +cpu +- +2 +100m +1 +-$/m],
      ['sa default', /^Tokens: +<none>/m],
      ['clusterrole view', /^ {2}pods +\[\] +\[\] +\[get list watch\]$/m],
    ];
    for (const [args, ...patterns] of about) {
      const text = await ok('describe', ...args.split(' '));
      for (const pattern of patterns) assert.match(text, pattern, `describe ${args}`);
    }
  });
  it('a watch, with its events', async () => {
    await ok('create', 'configmap', 'watched');
    await ok('label', 'cm', 'watched', 'watched=yes');
    const next = [
      () => ok('annotate', 'cm', 'watched', 'a=b'),
      () => ok('label', 'cm', 'watched', 'watched-'),
      undefined,
    ];
    const events: string[] = [];
    const flags = ['-l', 'watched', '-w', '--output-watch-events', '--no-headers', '--request-timeout=60s'];
    for await (const line of cluster.lines('get', 'cm', ...flags)) {
      events.push(line.split(/ +/).slice(0, 2).join(' '));
      const step = next.shift();
      if (!step) break;
      await step();
    }
    assert.deepEqual(events, ['ADDED watched', 'MODIFIED watched', 'DELETED watched']);
  });
  it('events', async () => {
    assert.match(
      await ok('events', '--for=deployment/web'),
      /Normal +ScalingReplicaSet +Deployment\/web +Scaled up replica set/,
    );
    assert.match(
      await ok('get', 'events', '-o', 'wide', '--field-selector=involvedObject.kind=Deployment'),
      /deployment\/web +deployment-controller +Scaled up/,
    );
    assert.match((await cluster.kubectl(['events', '--types=Warning'])).err, /No events found/);
  });
});
