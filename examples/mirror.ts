/** An operator: config maps with the annotation example.com/mirror get a secret of the same name and content. */
import { type Controller, watch } from 'tsukube/controller';

export const mirror: Controller = {
  name: 'mirror',
  setUp({ informers, client, recorder }) {
    const maps = informers.informer('v1/configmaps');
    const secrets = informers.informer('v1/secrets');
    return {
      // What to look at again when something changes: keys are "namespace/name".
      sources: [
        watch<'v1/configmaps'>(maps, map => [`${map.metadata.namespace}/${map.metadata.name}`]),
        watch<'v1/secrets'>(secrets, (secret, _old, event) =>
          event === 'delete' ? [`${secret.metadata.namespace}/${secret.metadata.name}`] : [],
        ),
      ],
      // Makes the world as it should be. Throwing means: again later.
      async reconcile(key) {
        const map = maps.store.get(key);
        if (!map?.metadata.annotations?.['example.com/mirror'] || secrets.store.get(key)) return;
        const { name, namespace = '' } = map.metadata;
        await client.secrets(namespace).create({ metadata: { name, namespace }, stringData: map.data ?? {} });
        recorder.event(map, 'Normal', 'Mirrored', `Made secret ${name}`);
      },
    };
  },
};
