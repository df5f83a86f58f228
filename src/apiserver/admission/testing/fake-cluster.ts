/** For the tests of this folder and of auth: an API server's client and informers over a map, without any of its rules. */
import type { KubeObject } from '../../../api/object.ts';
import { keyOf } from '../../../api/object.ts';
import { errors } from '../../../base/errors.ts';
import type {
  Client,
  EventHandler,
  Informer,
  InformerFactory,
  ResourceClient,
  ResourceDescriptor,
  ResourceName,
} from '../../../client/contract.ts';

export interface FakeCluster {
  readonly client: Client;
  readonly informers: InformerFactory;
  /** Puts an object in, past the client. The resource is named as in `client.resource`. */
  add(resource: ResourceName, ...objects: KubeObject[]): void;
  remove(resource: ResourceName, key: string): void;
  get<T extends KubeObject>(resource: ResourceName, key: string): T | undefined;
  /** Called before each write through the client; may throw to fail it. */
  onWrite: (verb: string, resource: string, object: KubeObject) => void;
  readonly writes: string[];
}

interface Shelf {
  readonly objects: Map<string, KubeObject>;
  readonly handlers: EventHandler<KubeObject>[];
  readonly indices: Map<string, (obj: KubeObject) => readonly string[]>;
}

const plural = (resource: ResourceName | ResourceDescriptor): string =>
  typeof resource === 'string' ? resource : `${resource.group}/${resource.version}/${resource.plural}`;

export function fakeCluster(): FakeCluster {
  const shelves = new Map<string, Shelf>();
  let revision = 0;
  const shelf = (name: string): Shelf => {
    const known = shelves.get(name);
    if (known) return known;
    const made: Shelf = { objects: new Map(), handlers: [], indices: new Map() };
    shelves.set(name, made);
    return made;
  };
  function put(name: string, object: KubeObject): KubeObject {
    const { objects, handlers } = shelf(name);
    const old = objects.get(keyOf(object));
    const stored = structuredClone(object);
    stored.metadata.resourceVersion = String(++revision);
    stored.metadata.uid ??= `uid-${revision}`;
    objects.set(keyOf(stored), stored);
    for (const h of handlers) old ? h.onUpdate?.(stored, old) : h.onAdd?.(stored, false);
    return structuredClone(stored);
  }
  function drop(name: string, key: string): void {
    const { objects, handlers } = shelf(name);
    const old = objects.get(key);
    objects.delete(key);
    if (old) for (const h of handlers) h.onDelete?.(old);
  }

  function resourceClient(name: string, namespace = ''): ResourceClient<KubeObject> {
    const [, , last] = [...name.split('/'), ''];
    const gr = {
      group: name.split('/').length > 2 ? (name.split('/')[0] ?? '') : '',
      resource: last || (name.split('/')[1] ?? ''),
    };
    const key = (objectName: string) => (namespace ? `${namespace}/${objectName}` : objectName);
    const fetch = (objectName: string) => {
      const found = shelf(name).objects.get(key(objectName));
      if (!found) throw errors.notFound(gr, objectName);
      return structuredClone(found);
    };
    const write = (verb: string, object: KubeObject) => {
      cluster.onWrite(verb, name, object);
      cluster.writes.push(`${verb} ${name} ${keyOf(object)}`);
      return put(name, object);
    };
    const update = (verb: string) => async (object: KubeObject) => {
      const present = fetch(object.metadata.name);
      if (object.metadata.resourceVersion && object.metadata.resourceVersion !== present.metadata.resourceVersion)
        throw errors.conflict(gr, object.metadata.name, 'the object has been modified');
      return write(verb, object);
    };
    const unsupported = () => {
      throw errors.internal('the fake does not do this');
    };
    return {
      get: async objectName => fetch(objectName),
      list: async () => ({
        metadata: { resourceVersion: String(revision) },
        items: [...shelf(name).objects.values()].filter(o => !namespace || o.metadata.namespace === namespace),
      }),
      watch: unsupported,
      async create(object) {
        const whole = { ...object, metadata: { ...object.metadata, name: object.metadata.name ?? '' } };
        if (namespace) whole.metadata.namespace = namespace;
        if (shelf(name).objects.has(keyOf(whole))) throw errors.alreadyExists(gr, whole.metadata.name);
        return write('create', whole);
      },
      update: update('update'),
      updateStatus: update('updateStatus'),
      patch: unsupported,
      apply: unsupported,
      async delete(objectName) {
        const found = fetch(objectName);
        drop(name, key(objectName));
        return found;
      },
      deleteCollection: unsupported,
      getSubresource: unsupported,
      updateSubresource: unsupported,
      createSubresource: unsupported,
    };
  }

  function informer(name: string): Informer<KubeObject> {
    const { objects, handlers, indices } = shelf(name);
    indices.set('namespace', o => [o.metadata.namespace ?? '']);
    return {
      store: {
        get: key => objects.get(key),
        list: () => [...objects.values()],
        byIndex: (index, value) => [...objects.values()].filter(o => indices.get(index)?.(o).includes(value)),
        get size() {
          return objects.size;
        },
      },
      addHandler(handler) {
        handlers.push(handler);
        for (const o of objects.values()) handler.onAdd?.(o, true);
        return () => void handlers.splice(handlers.indexOf(handler), 1);
      },
      get revision() {
        return String(revision);
      },
      addIndex: (index, keys) => void indices.set(index, keys),
      synced: async () => {},
      hasSynced: true,
    };
  }

  const cluster: FakeCluster = {
    client: {
      resource: (resource: ResourceName | ResourceDescriptor, namespace?: string) =>
        resourceClient(plural(resource), namespace),
    } as unknown as Client,
    informers: {
      informer: (resource: ResourceName | ResourceDescriptor) => informer(plural(resource)),
      start() {},
      synced: async () => {},
    } as unknown as InformerFactory,
    add(resource, ...objects) {
      for (const object of objects) put(resource, object);
    },
    remove: drop,
    get: <T extends KubeObject>(resource: ResourceName, key: string) =>
      shelf(resource).objects.get(key) as T | undefined,
    onWrite: () => {},
    writes: [],
  };
  return cluster;
}
