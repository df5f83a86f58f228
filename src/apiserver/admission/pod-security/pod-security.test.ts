import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PodSpec } from '../../../api/types/core-v1.ts';
import { fixture, refusal, run } from '../testing/request.ts';
import { podSecurity, podSecurityWith } from './plugin.ts';
import { defaultPolicy, describe as describeAll, evaluate, type LevelVersion, policyOf, showPolicy } from './policy.ts';

const container = (rest: object = {}) => ({ name: 'c', image: 'i', ...rest });
const spec = (rest: object = {}): PodSpec => ({ containers: [container()], ...rest }) as PodSpec;
const secure = (context: object = {}) =>
  container({
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
      ...context,
    },
  });
const judge = (
  level: LevelVersion['level'],
  version: LevelVersion['version'],
  pod: PodSpec,
  annotations?: Record<string, string>,
) => describeAll(evaluate({ level, version }, pod, annotations ? { annotations } : {}));

describe('baseline', () => {
  const inContainer = (securityContext: object, rest: object = {}) =>
    spec({ containers: [container({ securityContext, ...rest })] });
  const cases: [string, PodSpec, string, Record<string, string>?][] = [
    ['plain', spec(), ''],
    ['host namespaces', spec({ hostNetwork: true, hostIPC: true }), 'host namespaces (hostNetwork=true, hostIPC=true)'],
    [
      'privileged',
      inContainer({ privileged: true }),
      'privileged (container "c" must not set securityContext.privileged=true)',
    ],
    [
      'capabilities',
      inContainer({ capabilities: { add: ['NET_ADMIN', 'CHOWN', 'BPF'] } }),
      'non-default capabilities (container "c" must not include "BPF", "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    [
      'hostPath',
      spec({
        volumes: [
          { name: 'a', hostPath: { path: '/' } },
          { name: 'b', hostPath: { path: '/' } },
        ],
      }),
      'hostPath volumes (volumes "a", "b")',
    ],
    [
      'hostPort',
      spec({
        containers: [
          container({
            ports: [
              { containerPort: 1, hostPort: 80 },
              { containerPort: 2, hostPort: 443 },
            ],
          }),
        ],
      }),
      'hostPort (container "c" uses hostPorts 443, 80)',
    ],
    [
      'probe host',
      spec({ containers: [container({ livenessProbe: { httpGet: { host: 'evil', port: 1 } } })] }),
      'probe or lifecycle host (container "c" uses probe or lifecycle host "evil")',
    ],
    [
      'AppArmor',
      spec({ securityContext: { appArmorProfile: { type: 'Unconfined' } } }),
      'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ],
    [
      'AppArmor annotation',
      spec(),
      'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
      { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' },
    ],
    [
      'SELinux',
      spec({
        securityContext: { seLinuxOptions: { type: 'spc_t', user: 'u' } },
        containers: [container({ securityContext: { seLinuxOptions: { role: 'r' } } })],
      }),
      'seLinuxOptions (pod and container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set; role may not be set)',
    ],
    [
      'procMount',
      inContainer({ procMount: 'Unmasked' }),
      'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ],
    ['procMount in a user namespace', { ...inContainer({ procMount: 'Unmasked' }), hostUsers: false }, ''],
    [
      'seccomp',
      inContainer({ seccompProfile: { type: 'Unconfined' } }),
      'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      'sysctls',
      spec({ securityContext: { sysctls: [{ name: 'kernel.msgmax' }, { name: 'net.ipv4.tcp_rmem' }] } }),
      'forbidden sysctls (kernel.msgmax)',
    ],
    [
      'Windows',
      spec({ securityContext: { windowsOptions: { hostProcess: true } } }),
      'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
    ],
  ];
  for (const [title, pod, expected, annotations] of cases)
    it(title, () => {
      assert.equal(judge('baseline', 'latest', pod, annotations), expected);
      assert.equal(judge('privileged', 'latest', pod, annotations), '');
    });

  it('follows the version', () => {
    const sysctls = (name: string) => spec({ securityContext: { sysctls: [{ name }] } });
    const allowed: [string, number][] = [
      ['net.ipv4.ip_local_reserved_ports', 27],
      ['net.ipv4.tcp_keepalive_time', 29],
      ['net.ipv4.tcp_rmem', 32],
    ];
    for (const [name, since] of allowed) {
      assert.notEqual(judge('baseline', since - 1, sysctls(name)), '');
      assert.equal(judge('baseline', since, sysctls(name)), '');
    }
    const engine = spec({ securityContext: { seLinuxOptions: { type: 'container_engine_t' } } });
    assert.deepEqual([judge('baseline', 30, engine) !== '', judge('baseline', 31, engine)], [true, '']);
    const annotations = { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' };
    assert.equal(
      judge('baseline', 18, spec(), annotations),
      'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
    );
    assert.equal(judge('baseline', 19, spec(), annotations), '');
    assert.equal(judge('baseline', 99, spec({ hostPID: true })), judge('baseline', 'latest', spec({ hostPID: true })));
  });
});

describe('restricted', () => {
  it('says all that is missing at once, in upstream’s order and words', () => {
    assert.equal(
      judge('restricted', 'latest', spec()),
      'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
    assert.equal(judge('restricted', 'latest', spec({ containers: [secure()] })), '');
  });
  const cases: [string, PodSpec, string][] = [
    [
      'NET_BIND_SERVICE',
      spec({ containers: [secure({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } })] }),
      '',
    ],
    [
      'other capabilities',
      spec({ containers: [secure({ capabilities: { drop: ['ALL'], add: ['CHOWN'] } })] }),
      'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)',
    ],
    [
      'runAsUser',
      spec({ containers: [secure({ runAsUser: 0 })] }),
      'runAsUser=0 (container "c" must not set runAsUser=0)',
    ],
    [
      'root in a user namespace',
      spec({ hostUsers: false, containers: [secure({ runAsUser: 0, runAsNonRoot: false })] }),
      '',
    ],
    [
      'runAsNonRoot=false',
      spec({ securityContext: { runAsNonRoot: false }, containers: [secure()] }),
      'runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)',
    ],
    [
      'volumes',
      spec({
        containers: [secure()],
        volumes: [
          { name: 'a', nfs: { server: 's', path: '/' } },
          { name: 'b', hostPath: { path: '/' } },
          { name: 'e', emptyDir: {} },
        ],
      }),
      'restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs")',
    ],
  ];
  for (const [title, pod, expected] of cases)
    it(title, () => assert.equal(judge('restricted', 'latest', pod), expected));

  it('spares Windows pods what Windows does not have', () => {
    const windows = spec({
      os: { name: 'windows' },
      containers: [container({ securityContext: { runAsNonRoot: true } })],
    });
    assert.equal(judge('restricted', 25, windows), '');
    assert.notEqual(judge('restricted', 24, windows), '');
  });

  it('forbids whatever the baseline forbids', () => {
    const context = fc.record(
      {
        privileged: fc.boolean(),
        procMount: fc.constantFrom('Default', 'Unmasked'),
        capabilities: fc.record({
          add: fc.subarray(['CHOWN', 'NET_ADMIN', 'NET_BIND_SERVICE']),
          drop: fc.subarray(['ALL']),
        }),
        seccompProfile: fc.record({ type: fc.constantFrom('Unconfined', 'RuntimeDefault') }),
      },
      { requiredKeys: [] },
    );
    const arbitrary = fc.record(
      {
        hostPID: fc.boolean(),
        hostUsers: fc.boolean(),
        containers: fc.array(
          context.map(securityContext => container({ securityContext })),
          { minLength: 1, maxLength: 3 },
        ),
        volumes: fc.array(fc.constantFrom({ name: 'h', hostPath: { path: '/' } }, { name: 'e', emptyDir: {} }), {
          maxLength: 2,
        }),
      },
      { requiredKeys: ['containers'] },
    );
    fc.assert(
      fc.property(
        arbitrary,
        fc.constantFrom<number | 'latest'>('latest', 0, 10, 19, 22, 25, 30, 34, 35),
        (pod, version) => {
          if (judge('baseline', version, pod as never) !== '')
            assert.notEqual(judge('restricted', version, pod as never), '');
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the labels of a namespace', () => {
  const p = 'pod-security.kubernetes.io/';
  const cases: [Record<string, string>, string, string][] = [
    [{}, 'privileged:latest privileged:latest privileged:latest', ''],
    [{ [`${p}enforce`]: 'baseline' }, 'baseline:latest privileged:latest baseline:latest', ''],
    [
      { [`${p}enforce`]: 'restricted', [`${p}enforce-version`]: 'v1.30' },
      'restricted:v1.30 privileged:latest restricted:v1.30',
      '',
    ],
    [
      { [`${p}enforce`]: 'baseline', [`${p}warn`]: 'privileged' },
      'baseline:latest privileged:latest privileged:latest',
      '',
    ],
    [
      { [`${p}audit`]: 'restricted', [`${p}audit-version`]: 'v1.7' },
      'privileged:latest restricted:v1.7 privileged:latest',
      '',
    ],
    [
      { [`${p}enforce`]: 'strict' },
      'restricted:latest privileged:latest privileged:latest',
      `metadata.labels[${p}enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted`,
    ],
    [
      { [`${p}warn`]: 'x' },
      'privileged:latest privileged:latest privileged:latest',
      `metadata.labels[${p}warn]: Invalid value: "x": must be one of privileged, baseline, restricted`,
    ],
    [
      { [`${p}enforce-version`]: '1.30' },
      'privileged:latest privileged:latest privileged:latest',
      `metadata.labels[${p}enforce-version]: Invalid value: "1.30": must be "latest" or "v1.x"`,
    ],
  ];
  for (const [labels, expected, error] of cases)
    it(JSON.stringify(labels), () => {
      const { policy, errors } = policyOf(labels, defaultPolicy);
      assert.equal([policy.enforce, policy.audit, policy.warn].map(showPolicy).join(' '), expected);
      assert.equal(errors.map(e => `${e.field}: ${e.message}`).join(), error);
    });
});

describe('PodSecurity', () => {
  const labelled = (labels: Record<string, string>) => ({
    metadata: {
      name: 'ns',
      labels: Object.fromEntries(Object.entries(labels).map(([k, v]) => [`pod-security.kubernetes.io/${k}`, v])),
    },
  });
  const pod = (rest: object = {}, name = 'p') => ({ metadata: { name, namespace: 'ns' }, spec: spec(rest) });

  it('enforces, audits and warns', async () => {
    const cluster = fixture();
    const plugin = podSecurity.create(cluster.environment);
    cluster.add('v1/namespaces', labelled({ enforce: 'baseline', warn: 'restricted', audit: 'restricted' }));
    assert.equal(
      await refusal(plugin, { resource: '/pods', object: pod({ hostPID: true }) }),
      'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    );
    const { warnings, annotations } = await run(plugin, { resource: '/pods', object: pod() });
    assert.match(warnings.join(), /^would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false/);
    assert.equal(annotations['pod-security.kubernetes.io/enforce-policy'], 'baseline:latest');
    assert.equal(annotations['pod-security.kubernetes.io/audit-violations'], warnings[0]);
  });

  it('only warns of workloads', async () => {
    const cluster = fixture();
    const plugin = podSecurity.create(cluster.environment);
    cluster.add('v1/namespaces', labelled({ enforce: 'baseline' }));
    const template = { metadata: {}, spec: spec({ hostPID: true }) };
    const workload = (inner: object) => ({ metadata: { name: 'w', namespace: 'ns' }, spec: inner });
    const cases: [string, object, number][] = [
      ['apps/deployments', workload({ template }), 1],
      ['batch/jobs', workload({ template }), 1],
      ['batch/cronjobs', workload({ jobTemplate: { spec: { template } } }), 1],
      ['/podtemplates', { metadata: { name: 'w', namespace: 'ns' }, template }, 1],
      ['/replicationcontrollers', workload({}), 0],
      ['/configmaps', workload({ template }), 0],
    ];
    for (const [resource, object, count] of cases)
      assert.equal((await run(plugin, { resource, object })).warnings.length, count, resource);
  });

  it('looks at updates only when an image or a container changes', async () => {
    const cluster = fixture();
    const plugin = podSecurity.create(cluster.environment);
    cluster.add('v1/namespaces', labelled({ enforce: 'baseline' }));
    const old = pod({ hostPID: true });
    assert.equal(
      await refusal(plugin, { resource: '/pods', object: pod({ hostPID: true, activeDeadlineSeconds: 1 }), old }),
      '',
    );
    const debug = { hostPID: true, ephemeralContainers: [{ name: 'd', image: 'x' }] };
    assert.notEqual(
      await refusal(plugin, { resource: '/pods', subresource: 'ephemeralcontainers', object: pod(debug), old }),
      '',
    );
    assert.equal(await refusal(plugin, { resource: '/pods', subresource: 'status', object: pod(debug), old }), '');
  });

  it('keeps exemptions', async () => {
    const exemptions = { usernames: ['root'], namespaces: ['free'], runtimeClasses: ['vm'] };
    const cluster = fixture();
    const plugin = podSecurityWith({ exemptions }).create(cluster.environment);
    cluster.add('v1/namespaces', labelled({ enforce: 'restricted' }));
    const object = pod();
    assert.notEqual(await refusal(plugin, { resource: '/pods', object }), '');
    const exempt = async (question: object) =>
      (await run(plugin, { resource: '/pods', object, ...question })).annotations['pod-security.kubernetes.io/exempt'];
    assert.equal(await exempt({ user: { name: 'root', groups: [] } }), 'user');
    assert.equal(await exempt({ namespace: 'free' }), 'namespace');
    assert.equal(await exempt({ object: pod({ runtimeClassName: 'vm' }) }), 'runtimeClass');
  });

  it('checks labels, and the pods that are there when a namespace is tightened', async () => {
    const cluster = fixture();
    const plugin = podSecurity.create(cluster.environment);
    const bad = labelled({ enforce: 'nonsense' });
    const resource = '/namespaces';
    assert.match(await refusal(plugin, { resource, object: bad }), /^Namespace "ns" is invalid: metadata\.labels/);
    assert.equal(await refusal(plugin, { resource, object: bad, old: bad }), '');
    cluster.add(
      'v1/pods',
      pod({ hostPID: true }, 'b'),
      pod({ hostPID: true }, 'a'),
      pod({}, 'fine'),
      pod({ hostNetwork: true, volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'z'),
    );
    const tighten = (to: object, from: object) => run(plugin, { resource, object: to, old: from });
    const { warnings } = await tighten(labelled({ enforce: 'baseline' }), labelled({}));
    assert.deepEqual(warnings, [
      'existing pods in namespace "ns" violate the new PodSecurity enforce level "baseline:latest"',
      'a (and 1 other pod): host namespaces',
      'z: host namespaces, hostPath volumes',
    ]);
    assert.deepEqual(
      (await tighten(labelled({ enforce: 'baseline' }), labelled({ enforce: 'restricted' }))).warnings,
      [],
    );
  });
});
