import type { FlowSchema } from '../../api/types/flowcontrol-v1.ts';
import { messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { createInformerFactory } from '../../client/index.ts';
import type { Environment } from '../../controller/contract.ts';
import { withDangling } from '../registry/flowcontrol/dangling.ts';
import { ensureFlowControl } from '../registry/flowcontrol/ensure.ts';
import type { Fairness } from './fairness.ts';

const ensureEveryMs = 60_000;

/**
 * Keeps the server's own objects of priority and fairness in place, and does what all of them say, until the signal. Resolves when it
 * does so for the first time.
 */
export async function followFlowControl(
  environment: Environment,
  client: Client,
  fairness: Fairness,
  signal: AbortSignal,
): Promise<void> {
  await ensureFlowControl(client);
  maintain(environment, client, signal);
  const informers = createInformerFactory(client, environment);
  const schemas = informers.informer('flowcontrol.apiserver.k8s.io/v1/flowschemas');
  const levels = informers.informer('flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations');
  let due = true;
  const apply = () => {
    due = false;
    fairness.configure(schemas.store.list(), levels.store.list());
    const names = new Set(levels.store.list().map(level => level.metadata.name));
    for (const schema of schemas.store.list()) tell(schema, names);
  };
  /** Says whether the level that a schema names is there. Another server may say the same at the same moment. */
  function tell(schema: FlowSchema, names: ReadonlySet<string>): void {
    const status = withDangling(schema, names, environment.clock.now());
    if (!status) return;
    client
      .flowschemas()
      .updateStatus({ ...schema, status })
      .catch(e => environment.log.debug('The status of a flow schema was not written', { error: messageOf(e) }));
  }
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

function maintain({ clock, log }: Environment, client: Client, signal: AbortSignal): void {
  const failed = (e: unknown) => log.debug('The objects of flow control are looked at again', { error: messageOf(e) });
  const later = () => clock.setTimer(again, ensureEveryMs, { background: true });
  let timer = later();
  async function again(): Promise<void> {
    await ensureFlowControl(client).catch(failed);
    if (!signal.aborted) timer = later();
  }
  signal.addEventListener('abort', () => timer.cancel(), { once: true });
}
