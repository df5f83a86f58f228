/** Ports of one pod that get in each other's way (pkg/api/pod/warnings.go). */
import type { ContainerPort } from '../../../../api/types/core-v1.ts';

interface PlacedPort {
  readonly port: ContainerPort;
  readonly at: string;
}
type Containers = readonly (readonly [{ readonly ports?: ContainerPort[] }, string])[];

/** Written as Go prints a struct. */
const show = ({ name = '', hostPort = 0, containerPort, protocol = '', hostIP = '' }: ContainerPort) =>
  `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;

/** What two definitions of the same container port and protocol say about each other; undefined when both can be. */
function relation(a: ContainerPort, b: ContainerPort): string | undefined {
  const [hostA, hostB] = [a.hostPort ?? 0, b.hostPort ?? 0];
  const [ipA, ipB] = [a.hostIP ?? '', b.hostIP ?? ''];
  if (ipA === ipB && hostA === hostB) return 'duplicate';
  if (hostA === 0 || hostB === 0) return 'overlapping';
  return hostA === hostB && (ipA === '') !== (ipB === '') ? 'dangerously ambiguous' : undefined;
}

function placementWarnings({ port, at }: PlacedPort, before: readonly PlacedPort[]): string[] {
  const others = before.filter(o => o.port.containerPort === port.containerPort && o.port.protocol === port.protocol);
  return [
    ...(port.hostIP && !port.hostPort ? [`${at}: hostIP set without hostPort: ${show(port)}`] : []),
    ...others.flatMap(other => {
      const how = relation(port, other.port);
      return how ? [`${at}: ${how} port definition with ${other.at}`] : [];
    }),
  ];
}

function nameWarnings({ port: { name }, at }: PlacedPort, before: readonly PlacedPort[]): string[] {
  const first = name ? before.find(o => o.port.name === name) : undefined;
  return first
    ? [
        `${at}: duplicate port name ${JSON.stringify(name)} with ${first.at}, services and probes that select ports by name will use ${first.at}`,
      ]
    : [];
}

export function portWarnings(containers: Containers): string[] {
  const ports = containers.flatMap(([container, path]) =>
    (container.ports ?? []).map((port, i) => ({ port, at: `${path}.ports[${i}]` })),
  );
  return [placementWarnings, nameWarnings].flatMap(check => ports.flatMap((port, i) => check(port, ports.slice(0, i))));
}
