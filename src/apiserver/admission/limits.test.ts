import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '../../api/types/core-v1.ts';
import { createCertificateRequest, newKey } from '../../pki/index.ts';
import { clusterBinding, clusterRole, rule, user } from '../auth/rbac/bootstrap/build.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import type { AdmissionPluginFactory } from './contract.ts';
import { limitRanger } from './limit-ranger.ts';
import { denyServiceExternalIPs } from './network.ts';
import { persistentVolumeClaimResize } from './storage.ts';
import { fixture, refusal, run } from './testing/request.ts';

type PodBody = Pod & { spec: NonNullable<Pod['spec']> };
const pod = (spec: object = {}, metadata: object = {}): PodBody => ({
  metadata: { name: 'p', namespace: 'ns', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const pods = '/pods';

function start(factory: AdmissionPluginFactory) {
  const cluster = fixture();
  return { cluster, plugin: factory.create(cluster.environment) };
}

describe('LimitRanger', () => {
  const range = (...limits: object[]) => ({ metadata: { name: 'l', namespace: 'ns' }, spec: { limits } }) as never;
  it('fills in defaults and says so', async () => {
    const { cluster, plugin } = start(limitRanger);
    cluster.add(
      'v1/limitranges',
      range({ type: 'Container', default: { cpu: '2', memory: '1Gi' }, defaultRequest: { cpu: '1' } }),
    );
    const body = pod({ containers: [{ name: 'c', resources: { limits: { cpu: '3' } } }] });
    await run(plugin, { resource: pods, object: body });
    assert.deepEqual(body.spec.containers[0]?.resources, {
      limits: { cpu: '3', memory: '1Gi' },
      requests: { cpu: '1' },
    });
    assert.equal(
      body.metadata.annotations?.['kubernetes.io/limit-ranger'],
      'LimitRanger plugin set: cpu request for container c; memory limit for container c',
    );
  });
  it('refuses what is outside the bounds', async () => {
    const resources = (requests: object, limits: object = {}) =>
      pod({ containers: [{ name: 'c', resources: { requests, limits } }] });
    const two = (memory: string) => {
      const container = { resources: { requests: { memory }, limits: { memory } } };
      return pod({
        containers: [
          { name: 'a', ...container },
          { name: 'b', ...container },
        ],
      });
    };
    const cases: [object, object, string][] = [
      [
        { type: 'Container', min: { cpu: '100m' } },
        resources({ cpu: '50m' }),
        'minimum cpu usage per Container is 100m, but request is 50m',
      ],
      [
        { type: 'Container', min: { cpu: '100m' } },
        resources({}),
        'minimum cpu usage per Container is 100m.  No request is specified',
      ],
      [
        { type: 'Container', max: { cpu: '1' } },
        resources({}, { cpu: '2' }),
        'maximum cpu usage per Container is 1, but limit is 2',
      ],
      [
        { type: 'Container', max: { cpu: '1' } },
        resources({}),
        'maximum cpu usage per Container is 1.  No limit is specified',
      ],
      [{ type: 'Container', max: { cpu: '1' } }, resources({ cpu: '1' }, { cpu: '1' }), ''],
      [
        { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
        resources({ cpu: '1' }, { cpu: '3' }),
        'cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000',
      ],
      [
        { type: 'Pod', max: { memory: '1Gi' } },
        two('600Mi'),
        'maximum memory usage per Pod is 1Gi, but limit is 1200Mi',
      ],
      [{ type: 'Pod', max: { memory: '1Gi' } }, two('512Mi'), ''],
    ];
    for (const [item, object, message] of cases) {
      const { cluster, plugin } = start(limitRanger);
      cluster.add('v1/limitranges', range(item));
      const got = await refusal(plugin, { resource: pods, object });
      assert.ok(message ? got.includes(message) : got === '', `${got} should say ${message}`);
    }
    const { cluster, plugin } = start(limitRanger);
    cluster.add(
      'v1/limitranges',
      range({ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } }),
    );
    const claim = (storage: string) => ({
      metadata: { name: 'c', namespace: 'ns' },
      spec: { resources: { requests: { storage } } },
    });
    const ask = (storage: string) => refusal(plugin, { resource: '/persistentvolumeclaims', object: claim(storage) });
    assert.match(await ask('3Gi'), /maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi/);
    assert.match(await ask('500Mi'), /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi/);
    assert.equal(await ask('1Gi'), '');
  });
});

describe('storage, services and certificates', () => {
  it('PersistentVolumeClaimResize', async () => {
    const { cluster, plugin } = start(persistentVolumeClaimResize);
    cluster.add(
      'storage.k8s.io/v1/storageclasses',
      { metadata: { name: 'grows' }, allowVolumeExpansion: true } as never,
      { metadata: { name: 'fixed' } },
    );
    const claim = (storage: string, storageClassName: string, phase = 'Bound') => ({
      metadata: { name: 'c', namespace: 'ns' },
      spec: { storageClassName, resources: { requests: { storage } } },
      status: { phase },
    });
    const ask = (object: object, old: object) => refusal(plugin, { resource: '/persistentvolumeclaims', object, old });
    assert.equal(await ask(claim('2Gi', 'grows'), claim('1Gi', 'grows')), '');
    assert.equal(await ask(claim('1024Mi', 'fixed'), claim('1Gi', 'fixed')), '');
    assert.match(
      await ask(claim('2Gi', 'fixed'), claim('1Gi', 'fixed')),
      /only dynamically provisioned pvc can be resized/,
    );
    assert.match(
      await ask(claim('2Gi', 'grows'), claim('1Gi', 'grows', 'Pending')),
      /Only bound persistent volume claims/,
    );
  });

  it('DenyServiceExternalIPs', async () => {
    const { plugin } = start(denyServiceExternalIPs);
    const service = (...externalIPs: string[]) => ({ metadata: { name: 's', namespace: 'ns' }, spec: { externalIPs } });
    const ask = (object: object, old?: object) =>
      refusal(plugin, { resource: '/services', object, ...(old && { old }) });
    assert.equal(
      await ask(service('1.2.3.4')),
      'services "s" is forbidden: Use of external IPs is denied by admission control',
    );
    assert.equal(await ask(service('1.2.3.4'), service('1.2.3.4', '5.6.7.8')), '');
    assert.notEqual(await ask(service('1.2.3.4'), service()), '');
  });

  it('certificate requests', async () => {
    const grant = (verb: string, names: string) =>
      clusterRole(verb, [rule(verb, 'certificates.k8s.io', 'signers', names)]);
    const resource = 'certificates.k8s.io/certificatesigningrequests';
    const request = (signerName: string, status?: object) => ({
      metadata: { name: 'r' },
      spec: { signerName, request: '' },
      ...(status && { status }),
    });
    const approval = start(certificateApproval);
    approval.cluster.add('rbac.authorization.k8s.io/v1/clusterroles', grant('approve', 'example.com/*'));
    approval.cluster.add('rbac.authorization.k8s.io/v1/clusterrolebindings', clusterBinding('approve', user('jane')));
    const approve = (signer: string) =>
      refusal(approval.plugin, { resource, subresource: 'approval', object: request(signer), old: request(signer) });
    assert.equal(await approve('example.com/a'), '');
    assert.match(await approve('other.com/a'), /user not permitted to approve requests with signerName "other.com\/a"/);
    const signing = start(certificateSigning);
    const sign = (status: object) =>
      refusal(signing.plugin, { resource, subresource: 'status', object: request('x/y', status), old: request('x/y') });
    assert.match(await sign({ certificate: 'YQ==' }), /user not permitted to sign requests with signerName "x\/y"/);
    assert.equal(await sign({}), '');
    const subject = start(certificateSubjectRestriction);
    const create = (organization: string, signerName = 'kubernetes.io/kube-apiserver-client') => {
      const pem = createCertificateRequest({ commonName: 'x', organizations: [organization] }, newKey());
      return refusal(subject.plugin, {
        resource,
        object: { metadata: { name: 'r' }, spec: { signerName, request: btoa(pem) } },
      });
    };
    assert.match(
      await create('system:masters'),
      /use of kubernetes.io\/kube-apiserver-client signer with system:masters group is not allowed/,
    );
    assert.equal(await create('dev'), '');
    assert.equal(await create('system:masters', 'example.com/own'), '');
  });
});
