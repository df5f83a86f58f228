/** Several machines of one network, as namespaces on a switch: 10.77.0.1 and up. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createNamespace, type Namespace } from './netns.ts';

const execute = promisify(execFile);

export interface Machines {
  readonly machines: readonly Namespace[];
  readonly addresses: readonly string[];
  remove(): Promise<void>;
}

export async function createMachines(count: number): Promise<Machines> {
  const network = await createNamespace('switch');
  const machines: Namespace[] = [];
  const remove = async () => {
    for (const machine of machines) await machine.remove();
    await network.remove();
  };
  try {
    await network.run('ip', 'link', 'add', 'switch', 'type', 'bridge');
    await network.run('ip', 'link', 'set', 'switch', 'up');
    // A switch forwards frames; the packet filter must not look at them.
    await network.run('sysctl', '-qw', 'net.bridge.bridge-nf-call-iptables=0');
    for (let i = 0; i < count; i++) {
      const machine = await createNamespace(`machine${i + 1}`);
      machines.push(machine);
      await execute('ip', [
        '-n',
        network.name,
        'link',
        'add',
        `port${i}`,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        machine.name,
      ]);
      await network.run('ip', 'link', 'set', `port${i}`, 'master', 'switch', 'up');
      await machine.run('ip', 'address', 'add', `10.77.0.${i + 1}/24`, 'dev', 'eth0');
      await machine.run('ip', 'link', 'set', 'eth0', 'up');
      await machine.run('ip', 'route', 'add', 'default', 'via', '10.77.0.254');
    }
    return { machines, addresses: machines.map((_, i) => `10.77.0.${i + 1}`), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
