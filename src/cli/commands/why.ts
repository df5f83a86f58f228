/** `tsukube why pod NAME`: the whole answer to "why is it pending?", per node and plugin. */
import { type Explanation, explainPod, type PendingReport } from '../../scheduler/index.ts';
import { command } from '../command.ts';
import { UsageError } from '../flags.ts';
import { clientFor } from '../run/connect.ts';
import { hostEnvironment } from '../run/environment.ts';
import { loadSchedulerConfiguration } from '../run/scheduler-configuration.ts';

export const why = command({
  usage: 'pod NAME',
  flags: {
    namespace: { type: 'string', short: 'n', default: 'default', help: 'namespace of the pod' },
    kubeconfig: { type: 'string', help: 'how to reach the API server; default $KUBECONFIG, then ~/.kube/config' },
    config: { type: 'string', help: 'the scheduler’s configuration file, when it has one' },
    output: { type: 'string', short: 'o', default: 'text', help: 'text or json' },
  },
  async run(flags, positionals) {
    const [kind, ...names] = positionals.flatMap(p => p.split('/'));
    const name = names[0];
    if (!/^(po|pods?)$/.test(kind ?? '') || !name || names.length > 1)
      throw new UsageError('say which pod: why pod NAME');
    if (flags.output !== 'text' && flags.output !== 'json') throw new UsageError('--output is text or json');
    const environment = hostEnvironment('why');
    const loaded = flags.config === undefined ? {} : await loadSchedulerConfiguration(flags.config);
    const client = clientFor(flags.kubeconfig ?? defaultKubeconfig(), 'tsukube-why', environment);
    try {
      const answer = await explainPod({ environment, client, ...loaded }, `${flags.namespace}/${name}`);
      process.stdout.write(
        flags.output === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : formatExplanation(answer),
      );
    } finally {
      await client.transport.close();
    }
  },
});

const defaultKubeconfig = () => process.env['KUBECONFIG']?.split(':')[0] || `${process.env['HOME'] ?? ''}/.kube/config`;

export function formatExplanation(answer: Explanation): string {
  switch (answer.kind) {
    case 'assigned':
      return `The pod is assigned to node ${answer.node}.\n`;
    case 'foreign':
      return `The pod waits for a scheduler named "${answer.schedulerName}"; no profile has that name.\n`;
    case 'fits': {
      const [best] = answer.scores;
      const parts = Object.entries(best?.plugins ?? {}).map(([plugin, score]) => `  ${plugin.padEnd(34)} ${score}\n`);
      return `The pod fits ${answer.feasible} node(s); ${answer.node} would be chosen now.\n${parts.join('')}`;
    }
    default:
      return formatReport(answer.report);
  }
}

function formatReport({ message, nodes, summary, rejection, preemption }: PendingReport): string {
  const lines = [message, ''];
  if (rejection) lines.push(`Held back by ${rejection.plugin}: ${rejection.reasons.join(', ')}`);
  if (preemption)
    lines.push(`Room could be made on ${preemption.node} by evicting ${preemption.victims.join(', ')}.`, '');
  if (summary.length > 0) {
    lines.push('NODES  PLUGIN                    REASON');
    for (const each of summary) lines.push(`${String(each.nodes).padEnd(7)}${each.plugin.padEnd(26)}${each.reason}`);
    lines.push('', 'NODE                      PLUGIN                    CAN PREEMPTION HELP  REASONS');
    for (const { node, plugin, code, reasons } of nodes) {
      const help = code === 'Unschedulable' ? 'yes' : 'no';
      lines.push(`${node.padEnd(26)}${plugin.padEnd(26)}${help.padEnd(21)}${reasons.join(', ')}`);
    }
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
