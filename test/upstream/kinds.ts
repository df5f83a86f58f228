/** The life of one object of each kind: every verb, and every form of answer. */
import type { Scenario } from './exchange.ts';
import { collection, objectOf, type Sample, samples } from './samples.ts';

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
const partialList = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
const merge = 'application/merge-patch+json';

function life(sample: Sample): Scenario {
  return {
    name: `life of ${sample.apiVersion} ${sample.kind}`,
    async run({ ns, ask, quiet }) {
      const all = collection(sample, ns);
      const labels = { round: 'one' };
      // A cluster-scoped object must not meet that of another run, nor what the server came with.
      const name = sample.namespaced || sample.name !== 'sample' ? sample.name : `sample-${ns}`;
      const one = `${all}/${name}`;
      await quiet('DELETE', one);
      const selected = `${all}?labelSelector=round%3Done`;
      await ask('POST', `${all}?dryRun=All`, { body: objectOf(sample, { name, labels }) });
      await ask('GET', one);
      const made = await ask('POST', all, { body: objectOf(sample, { name, labels }) });
      await ask('POST', all, { body: objectOf(sample, { name, labels }) });
      await ask('GET', one);
      await ask('GET', one, { accept: table });
      await ask('GET', one, { accept: partial });
      await ask('GET', selected);
      await ask('GET', selected, { accept: table });
      await ask('GET', `${selected}&includeObject=None`, { accept: table });
      await ask('GET', selected, { accept: partialList });
      await ask('GET', `${all}?fieldSelector=metadata.name%3D${name}`);
      await ask('PUT', one, { body: made });
      await ask('PUT', one, { body: { ...made, metadata: { ...made.metadata, annotations: { a: 'b' } } } });
      await ask('PUT', one, { body: made });
      await ask('PATCH', one, { type: merge, body: { metadata: { labels: { more: 'yes' } } } });
      await ask('PATCH', one, {
        type: 'application/json-patch+json',
        body: [{ op: 'remove', path: '/metadata/labels/more' }],
      });
      await ask('PATCH', one, {
        type: 'application/strategic-merge-patch+json',
        body: { metadata: { labels: { round: 'two' } } },
      });
      await ask('PATCH', `${one}?fieldManager=someone`, {
        type: 'application/apply-patch+yaml',
        body: { apiVersion: sample.apiVersion, kind: sample.kind, metadata: { name, labels: { applied: 'yes' } } },
      });
      await ask('DELETE', `${one}?dryRun=All`);
      await ask('DELETE', `${one}?gracePeriodSeconds=0`);
      await ask('GET', one);
      await ask('DELETE', one);
    },
  };
}

export const kinds: readonly Scenario[] = samples.map(life);
