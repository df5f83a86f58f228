/** Several machines of one network, as namespaces on a switch: 10.77.0.1 and fd77::1 and up. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createNamespace, join, type Namespace } from './netns.ts';

const execute = promisify(execFile);

export const machineAddress = (i: number, family: 4 | 6 = 4) => (family === 4 ? `10.77.0.${i + 1}` : `fd77::${i + 1}`);

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
    await network.run('ip', 'link', 'add', 'switch', 'type', 'bridge', 'mcast_snooping', '0');
    await network.run('ip', 'link', 'set', 'switch', 'up');
    // A switch forwards frames; the packet filter must not look at them.
    for (const name of ['iptables', 'ip6tables'])
      await network.run('sysctl', '-qw', `net.bridge.bridge-nf-call-${name}=0`);
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
      const own = [`${machineAddress(i)}/24`, `${machineAddress(i, 6)}/64`];
      await join(machine, 'eth0', own, ['10.77.0.254', 'fd77::ffff']);
    }
    return { machines, addresses: machines.map((_, i) => machineAddress(i)), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
