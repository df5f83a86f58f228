/** Every generator of `kubectl create`, run and expose, and what the server makes of it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlServer, whyNoKubectl } from '../../support/kubectl-server.ts';

/** Arguments of `kubectl create`, and parts of what the server made of them, by path. */
type Generated = readonly [args: string, parts?: Readonly<Record<string, string>>];

const generators: readonly Generated[] = [
  ['namespace team', { '.status.phase': 'Active' }],
  ['serviceaccount robot'],
  ['configmap settings --from-literal=a=b --from-file=name=config', { '.data.a': 'b' }],
  ['secret generic hidden --from-literal=a=b', { '.type': 'Opaque', '.data.a': 'Yg==' }],
  [
    'secret docker-registry registry --docker-server=r.example.com --docker-username=u --docker-password=p',
    { '.type': 'kubernetes.io/dockerconfigjson' },
  ],
  [
    'deployment web --image=example.com/c:1 --replicas=3 --port=80',
    { '.spec.replicas': '3', '.spec.strategy.rollingUpdate.maxSurge': '25%', '.metadata.labels.app': 'web' },
  ],
  [
    'job once --image=example.com/c:1 -- echo hello',
    { '.spec.completionMode': 'NonIndexed', '.spec.template.spec.containers[0].command': '["echo","hello"]' },
  ],
  [
    'cronjob tick --image=example.com/c:1 --schedule=@daily',
    { '.spec.concurrencyPolicy': 'Allow', '.spec.successfulJobsHistoryLimit': '3' },
  ],
  [
    'ingress simple --class=nginx --rule=foo.com/bar*=svc:8080,tls=cert --default-backend=other:http',
    { '.spec.rules[0].http.paths[0].pathType': 'Prefix', '.spec.tls[0].secretName': 'cert' },
  ],
  ['quota few --hard=pods=2 --scopes=BestEffort', { '.spec.hard.pods': '2' }],
  [
    'role reader --verb=get,list --resource=pods,deployments.apps --resource-name=a',
    { '.rules[1].apiGroups[0]': 'apps' },
  ],
  [
    'rolebinding readers --role=reader --user=jane --group=dev --serviceaccount=default:robot',
    { '.subjects[*].kind': 'User Group ServiceAccount' },
  ],
  [
    'clusterrole all --aggregation-rule=example.com/aggregate=true',
    { '.aggregationRule.clusterRoleSelectors[0].matchLabels': '{"example.com/aggregate":"true"}' },
  ],
  ['clusterrole metrics --verb=get --non-resource-url=/metrics', { '.rules[0].nonResourceURLs[0]': '/metrics' }],
  ['clusterrolebinding viewers --clusterrole=view --user=jane'],
  ['priorityclass high --value=1000 --preemption-policy=Never', { '.value': '1000', '.preemptionPolicy': 'Never' }],
  ['pdb half --selector=app=web --min-available=50%', { '.spec.minAvailable': '50%' }],
  ['service clusterip plain --tcp=80:8080', { '.spec.ports[0].targetPort': '8080', '.spec.type': 'ClusterIP' }],
  ['service clusterip headless --clusterip=None', { '.spec.clusterIPs[0]': 'None' }],
  ['service nodeport node --tcp=80 --node-port=30123', { '.spec.ports[0].nodePort': '30123' }],
  ['service externalname elsewhere --external-name=example.com', { '.spec.type': 'ExternalName' }],
  ['service loadbalancer balanced --tcp=80', { '.spec.allocateLoadBalancerNodePorts': 'true' }],
];

/** What is refused, and how. */
const refusals: readonly (readonly [args: string, message: RegExp])[] = [
  ['create configmap settings', /^error: failed to create configmap: configmaps "settings" already exists$/],
  [
    'create quota none --hard=cpu=1 --scopes=BestEffort',
    /ResourceQuota "none" is invalid: spec\.scopes: Invalid value: \["BestEffort"\]: unsupported scope applied to resource$/,
  ],
  [
    'create cronjob bad --image=c --schedule=61',
    /CronJob\.batch "bad" is invalid: spec\.schedule: Invalid value: "61": /,
  ],
  [
    'create service nodeport taken --tcp=80 --node-port=30123',
    /Service "taken" is invalid: spec\.ports\[0\]\.nodePort: Invalid value: 30123: provided port is already allocated$/,
  ],
  [
    'create service clusterip far --clusterip=192.0.2.1 --tcp=80',
    /spec\.clusterIPs: Invalid value: \["192\.0\.2\.1"\]: failed to allocate IP 192\.0\.2\.1: /,
  ],
  ['create configmap lost -n nowhere', /^error: failed to create configmap: namespaces "nowhere" not found$/],
  [
    'run Bad --image=c',
    /^The Pod "Bad" is invalid: \n\* metadata\.name: Invalid value: "Bad": a lowercase RFC 1123 subdomain/,
  ],
];

describe('kubectl create', { skip: whyNoKubectl(31) }, () => {
  let server: KubectlServer;
  before(async () => {
    server = await startKubectlServer();
    await server.ok('create', 'serviceaccount', 'default');
  });
  after(() => server?.close());

  describe('each kind', { concurrency: 3 }, () => {
    for (const [args, parts = {}] of generators)
      it(args.split(' ').slice(0, 3).join(' '), async () => {
        const paths = ['.metadata.uid', ...Object.keys(parts)].map(path => `{${path}}`);
        const [verbatim = '', command = ''] = args.split(' -- ');
        const made = await server.ok(
          ...['create', ...verbatim.split(' '), '-o', `jsonpath=${paths.join('{"\\n"}')}`],
          ...(command ? ['--', ...command.split(' ')] : []),
        );
        const [uid, ...values] = made.split('\n');
        assert.match(uid ?? '', /^[\da-f-]{36}$/);
        assert.deepEqual(values, Object.values(parts));
      });
  });
  it('what must be refused', async () => {
    for (const [args, message] of refusals) assert.match(await server.refused(...args.split(' ')), message, args);
  });
  it('run and expose', async () => {
    assert.equal(
      await server.ok('run', 'p', '--image=example.com/c:1', '--port=80', '--env=A=b', '--labels=a=b', '--expose'),
      'service/p created\npod/p created\n',
    );
    const pod = JSON.parse(await server.ok('run', 'q', '--image=example.com/c', '--dry-run=server', '-o', 'json'));
    assert.equal(pod.spec.containers[0].imagePullPolicy, 'Always');
    assert.equal(pod.spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds, 3607);
    assert.match(await server.refused('get', 'pod', 'q'), /not found/);
    const overrides = '{"spec":{"nodeSelector":{"a":"b"}}}';
    await server.ok('run', 'r', '--image=example.com/c:1', `--overrides=${overrides}`);
    assert.equal(await server.ok('get', 'pod', 'r', '-o', 'jsonpath={.spec.nodeSelector.a}'), 'b');
    assert.equal(
      await server.ok('expose', 'pod', 'p', '--port=80', '--target-port=8080', '--name=seen', '--type=NodePort'),
      'service/seen exposed\n',
    );
    assert.equal(
      await server.refused('expose', 'pod', 'p', '--port=80', '--name=seen'),
      'Error from server (AlreadyExists): services "seen" already exists',
    );
  });
  it('from files: generated names, several documents, raw', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'gen-' } };
    const spec = { containers: [{ name: 'c', image: 'example.com/c:1' }] };
    assert.match(await server.given({ ...pod, spec }, 'create', '-f', '-'), /^pod\/gen-\w{5} created\n$/);
    writeFileSync(join(server.folder, 'raw.json'), '{"metadata":{"name":"raw"},"data":{"a":"b"}}');
    const raw = await server.ok('create', '--raw=/api/v1/namespaces/default/configmaps', '-f', 'raw.json');
    assert.equal(JSON.parse(raw).data.a, 'b');
    assert.match(await server.ok('delete', '--raw=/api/v1/namespaces/default/configmaps/raw'), /"status":"Success"/);
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'r' }, target: { kind: 'Node', name: 'n' } };
    await server.given(binding, 'create', '-f', '-');
    assert.equal(await server.ok('get', 'pod', 'r', '-o', 'jsonpath={.spec.nodeName}'), 'n');
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: 'nobody', resourceAttributes: { verb: 'get', resource: 'pods' } },
    };
    assert.equal(await server.given(review, 'create', '-f', '-', '-o', 'jsonpath={.status.allowed}'), 'false');
  });
});
