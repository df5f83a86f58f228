import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../../../api/types/admissionregistration-v1.ts';
import { ageColumn, integer, nameColumn } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import { validateWebhooks, validateWebhooksUpdate } from './webhook-validate.ts';

function defaultWebhook(hook: ValidatingWebhook): void {
  hook.failurePolicy ??= 'Fail';
  hook.matchPolicy ??= 'Equivalent';
  hook.namespaceSelector ??= {};
  hook.objectSelector ??= {};
  hook.timeoutSeconds ??= 10;
  for (const rule of hook.rules ?? []) rule.scope ??= '*';
  if (hook.clientConfig?.service) hook.clientConfig.service.port ??= 443;
}

function defaultMutatingWebhook(hook: MutatingWebhook): void {
  defaultWebhook(hook);
  hook.reinvocationPolicy ??= 'Never';
}

export const mutatingWebhookConfigurations = clusterScoped<MutatingWebhookConfiguration>({
  resource: 'admissionregistration.k8s.io/mutatingwebhookconfigurations',
  specless: true,
  generation: true,
  allowUnconditionalUpdate: false,
  validateCreate: obj => validateWebhooks(obj.webhooks),
  validateUpdate: (obj, old) => validateWebhooksUpdate(obj.webhooks, old.webhooks),
  default: obj => obj.webhooks?.forEach(defaultMutatingWebhook),
  columns: [nameColumn, integer('Webhooks', obj => obj.webhooks?.length ?? 0), ageColumn],
});

export const validatingWebhookConfigurations = clusterScoped<ValidatingWebhookConfiguration>({
  resource: 'admissionregistration.k8s.io/validatingwebhookconfigurations',
  specless: true,
  generation: true,
  allowUnconditionalUpdate: false,
  validateCreate: obj => validateWebhooks(obj.webhooks),
  validateUpdate: (obj, old) => validateWebhooksUpdate(obj.webhooks, old.webhooks),
  default: obj => obj.webhooks?.forEach(defaultWebhook),
  columns: [nameColumn, integer('Webhooks', obj => obj.webhooks?.length ?? 0), ageColumn],
});
