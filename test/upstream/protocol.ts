/** What concerns all kinds alike: errors, lists, watches, deletion. */
import type { Scenario } from './exchange.ts';
import { objectOf, sampleOf, withValue } from './samples.ts';

const json = 'application/json-patch+json';
const configMap = (name: string, labels: object = {}) => objectOf(sampleOf('configmaps'), { name, labels });
const podOf = (name: string, metadata: object = {}) => objectOf(sampleOf('pods'), { name, ...metadata });

export const protocol: readonly Scenario[] = [
  {
    name: 'paths and methods that are not there',
    async run({ ns, ask }) {
      const maps = `/api/v1/namespaces/${ns}/configmaps`;
      for (const target of ['/api/v1/nothing', '/apis/nothing.example.com', '/apis/nothing.example.com/v1/things'])
        for (const method of ['GET', 'POST', 'DELETE'])
          await ask(method, target, method === 'POST' ? { body: {} } : {});
      for (const target of [
        '/nothing',
        '/api/v2',
        '/apis/apps/v9',
        '/apis/apps/v1/nothing',
        '/api/v1/namespaces/x/nothing',
      ])
        await ask('GET', target);
      await ask('PUT', maps, { body: configMap('a') });
      await ask('POST', `${maps}/a`, { body: configMap('a') });
      await ask('PATCH', maps, { body: {}, type: 'application/merge-patch+json' });
      await ask('GET', `${maps}/a/status`);
      await ask('GET', `/api/v1/namespaces/${ns}/pods/none/log`);
      await ask('GET', `/api/v1/namespaces/${ns}/pods/none/exec`);
      await ask('GET', '/api/v1/configmaps/a');
      await ask('GET', `${maps}/Not_A_Name`);
      await ask('GET', '/version/nothing');
      await ask('POST', '/version', { body: {} });
    },
  },
  {
    name: 'bodies that cannot be read',
    async run({ ns, ask }) {
      const maps = `/api/v1/namespaces/${ns}/configmaps`;
      const post = (raw: string, type?: string) => ask('POST', maps, { raw, ...(type && { type }) });
      await post('');
      await post('{');
      await post('[]');
      await post('"text"');
      await post('null');
      await post('{}');
      await post('{"kind":"ConfigMap"}');
      await post('{"apiVersion":"v1"}');
      await post('{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"}}');
      await post('{"kind":"ConfigMap","apiVersion":"v2","metadata":{"name":"a"}}');
      await post('{"kind":"Nothing","apiVersion":"v1","metadata":{"name":"a"}}');
      await post('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":5}}');
      await post('{"kind":"ConfigMap","apiVersion":"v1","metadata":"x"}');
      await post('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"a":1}}');
      await post('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":[]}');
      await post('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"binaryData":{"a":"%"}}');
      await post('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","creationTimestamp":"now"}}');
      await post('kind: ConfigMap\napiVersion: v1\nmetadata: {name: yaml}\n', 'application/yaml');
      await post('kind: ConfigMap\n  apiVersion: [', 'application/yaml');
      await post('{}', 'text/plain');
      await post('{}', 'application/xml');
      await post(JSON.stringify(configMap('charset')), 'application/json; charset=utf-8');
      await ask('POST', maps, { body: configMap('x'), accept: 'text/html' });
      await ask('GET', maps, { accept: 'text/html' });
      await ask('GET', maps, { accept: 'text/html, */*' });
      await ask('GET', maps, { accept: 'application/json;as=Table;v=v9;g=meta.k8s.io' });
      await ask('GET', maps, { accept: 'application/json;as=Nothing;v=v1;g=meta.k8s.io' });
    },
  },
  {
    name: 'names and namespaces of objects',
    async run({ ns, ask, quiet }) {
      const maps = `/api/v1/namespaces/${ns}/configmaps`;
      await ask('POST', maps, { body: { ...configMap('a'), metadata: {} } });
      await ask('POST', maps, { body: { ...configMap('a'), metadata: { generateName: 'made-' } } });
      await ask('POST', maps, { body: { ...configMap('a'), metadata: { generateName: 'Bad_' } } });
      await ask('POST', maps, { body: { ...configMap('a'), metadata: { name: 'a', namespace: 'other' } } });
      await ask('POST', '/api/v1/namespaces/nowhere/configmaps', { body: configMap('a') });
      await ask('POST', '/api/v1/configmaps', { body: configMap('a') });
      await ask('POST', maps, { body: configMap('a', { 'bad key!': 'x' }) });
      await ask('POST', maps, { body: configMap('a', { key: 'bad value!' }) });
      await ask('POST', maps, { body: withValue(configMap('a'), 'metadata/annotations', { 'bad key!': 'x' }) });
      await ask('POST', maps, { body: withValue(configMap('a'), 'metadata/finalizers', ['nodomain']) });
      const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '00000000-0000-0000-0000-000000000001' };
      for (const owners of [
        [{ ...owner, uid: '' }],
        [{ ...owner, kind: '' }],
        [{ ...owner, apiVersion: 'a/b/c' }],
        [{ ...owner, kind: 'Event' }],
        [
          { ...owner, controller: true },
          { ...owner, uid: '00000000-0000-0000-0000-000000000002', controller: true },
        ],
      ])
        await ask('POST', maps, { body: withValue(configMap('a'), 'metadata/ownerReferences', owners) });
      await ask('POST', maps, { body: withValue(configMap('a'), 'metadata/resourceVersion', '5') });
      await quiet('POST', maps, { body: configMap('a') });
      await ask('PUT', `${maps}/a`, { body: configMap('b') });
      await ask('PUT', `${maps}/a`, { body: withValue(configMap('a'), 'metadata/namespace', 'other') });
      await ask('PUT', `${maps}/a`, { body: withValue(configMap('a'), 'metadata/resourceVersion', '1') });
      await ask('PUT', `${maps}/a`, { body: withValue(configMap('a'), 'metadata/resourceVersion', 'x') });
      await ask('PUT', `${maps}/a`, {
        body: withValue(configMap('a'), 'metadata/uid', '00000000-0000-0000-0000-000000000001'),
      });
      await ask('PUT', `${maps}/missing`, { body: configMap('missing') });
      await ask('PUT', `${maps}/a`, { body: configMap('a') });
    },
  },
  {
    name: 'options of requests',
    async run({ ns, ask }) {
      const maps = `/api/v1/namespaces/${ns}/configmaps`;
      await ask('POST', `${maps}?dryRun=Some`, { body: configMap('a') });
      await ask('POST', `${maps}?dryRun=All`, { body: configMap('a') });
      await ask('POST', `${maps}?fieldManager=${'x'.repeat(129)}`, { body: configMap('a') });
      await ask('POST', `${maps}?fieldManager=a%07b`, { body: configMap('a') });
      await ask('POST', maps, { body: configMap('a') });
      await ask('PUT', `${maps}/a?dryRun=None`, { body: configMap('a') });
      await ask('PATCH', `${maps}/a?force=true`, { body: {}, type: 'application/merge-patch+json' });
      await ask('PATCH', `${maps}/a`, { raw: '{}', type: 'application/apply-patch+yaml' });
      await ask('DELETE', `${maps}/a?dryRun=x`);
      await ask('DELETE', `${maps}/a?propagationPolicy=x`);
      await ask('DELETE', `${maps}/a?gracePeriodSeconds=x`);
      await ask('DELETE', `${maps}/a`, { body: { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: -1 } });
      await ask('DELETE', `${maps}/a`, {
        body: { kind: 'DeleteOptions', apiVersion: 'v1', orphanDependents: true, propagationPolicy: 'Orphan' },
      });
      await ask('DELETE', `${maps}/a`, { body: { kind: 'Pod', apiVersion: 'v1' } });
      await ask('DELETE', `${maps}/a`, { raw: '{' });
      const preconditions = (value: object) => ({ kind: 'DeleteOptions', apiVersion: 'v1', preconditions: value });
      await ask('DELETE', `${maps}/a`, { body: preconditions({ uid: '00000000-0000-0000-0000-000000000001' }) });
      await ask('DELETE', `${maps}/a`, { body: preconditions({ resourceVersion: '1' }) });
      await ask('DELETE', `${maps}/a`);
    },
  },
  {
    name: 'lists and their parameters',
    async run({ ns, ask, quiet }) {
      const maps = `/api/v1/namespaces/${ns}/configmaps`;
      for (const [i, size] of ['s', 'm', 'l', 's', 'm'].entries())
        await quiet('POST', maps, { body: configMap(`m${i}`, { size, all: 'yes' }) });
      const selectors = [
        ...[
          'size=s',
          'size==m',
          'size!=s',
          'size in (s,l)',
          'size notin (s)',
          'size',
          '!size',
          'size,all=yes',
          'size=s,size=m',
        ],
        ...[
          'size in ()',
          'size in (s',
          'a=b=c',
          '=x',
          'size>1',
          'size gt 1',
          'bad key!=x',
          'a/b/c=d',
          'size=bad value!',
          ',',
        ],
      ];
      for (const selector of selectors) await ask('GET', `${maps}?labelSelector=${encodeURIComponent(selector)}`);
      const fields = [
        'metadata.name=m1',
        'metadata.name!=m1',
        `metadata.namespace=${ns}`,
        'data.key=value',
        'metadata.name',
        'a=b,c',
        'spec.x=1',
      ];
      for (const selector of fields) await ask('GET', `${maps}?fieldSelector=${encodeURIComponent(selector)}`);
      const first = await ask('GET', `${maps}?limit=2&labelSelector=all`);
      const next = await ask('GET', `${maps}?limit=2&continue=${encodeURIComponent(first.metadata.continue)}`);
      await ask('GET', `${maps}?limit=10&continue=${encodeURIComponent(next.metadata?.continue ?? '')}`);
      await ask('GET', `${maps}?limit=-1`);
      await ask('GET', `${maps}?limit=x`);
      await ask('GET', `${maps}?continue=nonsense`);
      await ask('GET', `${maps}?resourceVersion=x`);
      await ask('GET', `${maps}?resourceVersion=0&labelSelector=size%3Dl`);
      await ask('GET', `${maps}?resourceVersionMatch=Exact`);
      await ask('GET', `${maps}?resourceVersion=0&resourceVersionMatch=Exact`);
      await ask('GET', `${maps}?resourceVersion=1&resourceVersionMatch=Nonsense`);
      await ask('GET', `${maps}?resourceVersion=999999999`);
      await ask('GET', `${maps}/m1?resourceVersion=x`);
      await ask('GET', `${maps}?timeoutSeconds=x`);
    },
  },
  {
    name: 'fields that pods and others can be selected by',
    async run({ ns, ask, quiet }) {
      const pods = `/api/v1/namespaces/${ns}/pods`;
      await quiet('POST', pods, { body: podOf('plain') });
      await quiet('POST', pods, { body: withValue(podOf('bound'), 'spec/nodeName', 'node-1') });
      for (const field of [
        ...[
          'spec.nodeName=node-1',
          'spec.nodeName=',
          'spec.nodeName!=',
          'status.phase=Pending',
          'spec.restartPolicy=Always',
        ],
        ...[
          'spec.schedulerName=default-scheduler',
          'spec.serviceAccountName=default',
          'status.podIP=',
          'spec.nothing=1',
        ],
        'spec.nodeName=node-1,status.phase!=Running',
      ])
        await ask('GET', `${pods}?fieldSelector=${encodeURIComponent(field)}`, {
          accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
        });
      await ask('GET', `/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue`);
      await ask('GET', `/api/v1/nodes?fieldSelector=spec.taints%3Dx`);
      await ask('GET', `/api/v1/namespaces/${ns}/secrets?fieldSelector=type%3DOpaque`);
      await ask('GET', `/api/v1/namespaces/${ns}/events?fieldSelector=involvedObject.kind%3DPod%2Ctype%3DNormal`);
      await ask('GET', `/api/v1/namespaces/${ns}/services?fieldSelector=spec.type%3DClusterIP`);
      await ask('GET', `/apis/apps/v1/namespaces/${ns}/replicasets?fieldSelector=status.replicas%3D0`);
      await ask('GET', `/apis/apps/v1/namespaces/${ns}/deployments?fieldSelector=status.replicas%3D0`);
      await ask('GET', `/apis/batch/v1/namespaces/${ns}/jobs?fieldSelector=status.successful%3D0`);
    },
  },
  {
    name: 'watches',
    async run({ ns, watch, ask, quiet }) {
      const maps = `/api/v1/namespaces/${ns}/configmaps`;
      await quiet('POST', maps, { body: configMap('before', { of: 'interest' }) });
      const { body } = await quiet('GET', maps);
      const from = body.metadata.resourceVersion;
      await watch(`${maps}?watch=1&fieldSelector=metadata.name%3Dbefore`, 1);
      await watch(`${maps}?watch=1&labelSelector=of%3Dinterest&resourceVersion=${from}`, 4, async () => {
        await quiet('POST', maps, { body: configMap('one', { of: 'interest' }) });
        await quiet('PATCH', `${maps}/one`, { raw: '{"data":{"a":"b"}}', type: 'application/merge-patch+json' });
        await quiet('PATCH', `${maps}/one`, { raw: '[{"op":"remove","path":"/metadata/labels/of"}]', type: json });
        await quiet('POST', maps, { body: configMap('other') });
        await quiet('DELETE', `${maps}/before`);
      });
      await watch(`/api/v1/watch/namespaces/${ns}/configmaps/one?resourceVersion=0`, 1);
      await watch(`${maps}?watch=1&resourceVersion=1`, 1);
      await watch(`${maps}?watch=1&resourceVersion=x`, 1);
      await watch(`${maps}?watch=1&labelSelector=a%3Db%3Dc`, 1);
      await watch(`${maps}?watch=1&resourceVersionMatch=Exact&resourceVersion=1`, 1);
      await ask('GET', `${maps}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dnothing&resourceVersion=0`);
    },
  },
  {
    name: 'deletion with finalizers, grace and propagation',
    async run({ ns, ask, quiet }) {
      const maps = `/api/v1/namespaces/${ns}/configmaps`;
      await quiet('POST', maps, { body: withValue(configMap('kept'), 'metadata/finalizers', ['example.com/hold']) });
      await ask('DELETE', `${maps}/kept`);
      await ask('DELETE', `${maps}/kept`);
      await ask('PATCH', `${maps}/kept`, {
        body: { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } },
        type: 'application/merge-patch+json',
      });
      await ask('PATCH', `${maps}/kept`, {
        body: { metadata: { finalizers: null } },
        type: 'application/merge-patch+json',
      });
      await ask('GET', `${maps}/kept`);
      for (const propagationPolicy of ['Orphan', 'Foreground', 'Background']) {
        const path = `/apis/apps/v1/namespaces/${ns}/replicasets`;
        await quiet('POST', path, {
          body: objectOf(sampleOf('replicasets'), { name: propagationPolicy.toLowerCase() }),
        });
        const one = `${path}/${propagationPolicy.toLowerCase()}`;
        await ask('DELETE', one, { body: { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy } });
        await ask('GET', one);
      }
      const pods = `/api/v1/namespaces/${ns}/pods`;
      await quiet('POST', pods, { body: podOf('free') });
      await ask('DELETE', `${pods}/free`);
      await ask('GET', `${pods}/free`);
      await quiet('POST', pods, { body: withValue(podOf('bound'), 'spec/nodeName', 'node-1') });
      await ask('DELETE', `${pods}/bound?gracePeriodSeconds=100`);
      await ask('DELETE', `${pods}/bound?gracePeriodSeconds=200`);
      await ask('DELETE', `${pods}/bound?gracePeriodSeconds=50`);
      await ask('DELETE', `${pods}/bound?gracePeriodSeconds=0`);
      await ask('GET', `${pods}/bound`);
      for (const name of ['c1', 'c2', 'c3']) await quiet('POST', maps, { body: configMap(name, { of: name }) });
      await ask('DELETE', `${maps}?labelSelector=of%3Dc1`);
      await ask('DELETE', `${maps}?fieldSelector=metadata.name%3Dc2&dryRun=All`);
      await ask('DELETE', `${maps}?limit=1`);
      await ask('DELETE', `/api/v1/namespaces/${ns}/services`);
      await ask('DELETE', '/api/v1/namespaces');
      await ask('DELETE', `/api/v1/namespaces/${ns}`);
      await ask('POST', maps, { body: configMap('late') });
      await ask('DELETE', '/api/v1/namespaces/kube-system?dryRun=All');
      await ask('DELETE', '/api/v1/namespaces/default?dryRun=All');
    },
  },
];
