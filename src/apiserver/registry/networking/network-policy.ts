import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../api/types/networking-v1.ts';
import { cidrContains, parseCidr } from '../../../api/validation/ip.ts';
import {
  cidrBlock,
  type Errors,
  each,
  forbidden,
  oneOf,
  optional,
  portNumber,
  portNumberOrName,
  requiredAnd,
} from '../checks.ts';
import { ageColumn, formatSelector, nameColumn, text } from '../columns.ts';
import { protocols } from '../core/pod/containers.ts';
import { namespaced } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

function validatePort({ port, endPort, protocol }: NetworkPolicyPort, path: string): Errors {
  const errors = [
    ...optional(protocol, `${path}.protocol`, oneOf(protocols)),
    ...optional(port, `${path}.port`, portNumberOrName),
  ];
  if (endPort === undefined) return errors;
  const at = `${path}.endPort`;
  const from = typeof port === 'number' ? port : undefined;
  return [
    ...errors,
    ...(port === undefined ? [field.invalid(at, endPort, 'may not be specified when `port` is not specified')] : []),
    ...(typeof port === 'string'
      ? [field.invalid(at, endPort, 'may not be specified when `port` is non-numeric')]
      : []),
    ...(from !== undefined && from > endPort
      ? [field.invalid(at, from, 'must be greater than or equal to `port`')]
      : []),
    ...portNumber(endPort, at),
  ];
}

/** Exceptions lie strictly inside the block. */
function validateIpBlock(block: IPBlock, path: string): Errors {
  const whole = parseCidr(block.cidr ?? '');
  return [
    ...requiredAnd(block.cidr, `${path}.cidr`, cidrBlock),
    ...each(block.except, `${path}.except`, (text, at) => {
      const part = parseCidr(text);
      const malformed = cidrBlock(text, at);
      if (!part || !whole || malformed.length > 0) return malformed;
      const inside = part.family === whole.family && cidrContains(whole, part.address) && part.prefix > whole.prefix;
      return inside ? [] : [field.invalid(at, text, 'must be a strict subset of `cidr`')];
    }),
  ];
}

function validatePeer(peer: NetworkPolicyPeer, path: string): Errors {
  const selectors = peer.podSelector || peer.namespaceSelector;
  return [
    ...validateLabelSelector(peer.podSelector, `${path}.podSelector`),
    ...validateLabelSelector(peer.namespaceSelector, `${path}.namespaceSelector`),
    ...optional(peer.ipBlock, `${path}.ipBlock`, validateIpBlock),
    ...(!selectors && !peer.ipBlock ? [field.required(path, 'must specify a peer')] : []),
    ...forbidden(selectors && peer.ipBlock, path, 'may not specify both ipBlock and another peer'),
  ];
}

function validatePolicyTypes(types: readonly string[] | undefined): Errors {
  const path = 'spec.policyTypes';
  if ((types?.length ?? 0) > 2) return [field.invalid(path, types, 'may not specify more than two policyTypes')];
  return each(types, path, oneOf(['Egress', 'Ingress']));
}

function validatePolicy({ spec }: NetworkPolicy): Errors {
  return [
    ...validateLabelSelector(spec.podSelector, 'spec.podSelector'),
    ...each(spec.ingress, 'spec.ingress', (rule, at) => [
      ...each(rule.ports, `${at}.ports`, validatePort),
      ...each(rule.from, `${at}.from`, validatePeer),
    ]),
    ...each(spec.egress, 'spec.egress', (rule, at) => [
      ...each(rule.ports, `${at}.ports`, validatePort),
      ...each(rule.to, `${at}.to`, validatePeer),
    ]),
    ...validatePolicyTypes(spec.policyTypes),
  ];
}

export const networkPolicies = namespaced<NetworkPolicy>({
  resource: 'networking.k8s.io/networkpolicies',
  generation: true,
  validate: validatePolicy,
  default({ spec }) {
    spec.podSelector ??= {};
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    }
    if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  columns: [nameColumn, text('Pod-Selector', obj => formatSelector(obj.spec.podSelector)), ageColumn],
});
