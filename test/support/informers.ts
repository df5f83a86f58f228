/** Informers that a test fills by hand. */
import type { KubeObject } from '../../src/api/object.ts';
import { createCache } from '../../src/client/cache.ts';
import type { EventHandler, InformerFactory } from '../../src/client/contract.ts';

export interface HandInformers {
  readonly factory: InformerFactory;
  put(resource: string, object: KubeObject): void;
  remove(resource: string, key: string): void;
}

export function handInformers(): HandInformers {
  const made = new Map<string, ReturnType<typeof handInformer>>();
  const of = (resource: string) => {
    const known = made.get(resource) ?? handInformer();
    made.set(resource, known);
    return known;
  };
  return {
    factory: { informer: of } as unknown as InformerFactory,
    put: (resource, object) => of(resource).put(object),
    remove: (resource, key) => of(resource).remove(key),
  };
}

function handInformer() {
  const store = createCache<KubeObject>();
  const handlers = new Set<EventHandler<KubeObject>>();
  return {
    store,
    addIndex: store.addIndex,
    synced: async () => {},
    addHandler(handler: EventHandler<KubeObject>) {
      handlers.add(handler);
      for (const object of store.list()) handler.onAdd?.(object, true);
      return () => handlers.delete(handler);
    },
    put(object: KubeObject) {
      const old = store.put(object);
      for (const handler of handlers) {
        if (old) handler.onUpdate?.(object, old);
        else handler.onAdd?.(object, false);
      }
    },
    remove(key: string) {
      const old = store.remove(key);
      if (old) for (const handler of handlers) handler.onDelete?.(old);
    },
  };
}
