import type { Client } from '../../client/contract.ts';
import { createInformerFactory } from '../../client/index.ts';
import type { Environment } from '../../controller/contract.ts';
import type { Fairness } from './fairness.ts';

/** Keeps priority and fairness as its objects say, until the signal. Resolves when it does so for the first time. */
export async function followFlowControl(
  environment: Environment,
  client: Client,
  fairness: Fairness,
  signal: AbortSignal,
): Promise<void> {
  const informers = createInformerFactory(client, environment);
  const schemas = informers.informer('flowcontrol.apiserver.k8s.io/v1/flowschemas');
  const levels = informers.informer('flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations');
  let due = true;
  const apply = () => {
    due = false;
    fairness.configure(schemas.store.list(), levels.store.list());
  };
  const changed = () => {
    if (due) return;
    due = true;
    queueMicrotask(apply);
  };
  for (const informer of [schemas, levels])
    informer.addHandler({ onAdd: changed, onUpdate: changed, onDelete: changed });
  informers.start(signal);
  await informers.synced();
  apply();
}
