/** What hangs below an object: status, scale and the particular ones. */
import { connect } from '../connect/index.ts';
import { createBinding } from './binding.ts';
import { createEviction } from './eviction.ts';
import { patchObject } from './patch.ts';
import { getObject } from './read.ts';
import type { RequestInfo } from './request-info.ts';
import { getScale, patchScale, updateScale } from './scale.ts';
import type { Served, VerbHandler } from './scope.ts';
import { createTokenRequest } from './token.ts';
import { updateObject } from './update.ts';

/** Subresources whose kind is the object itself: read as it is, written through the kind's subresource strategy. */
const wholeObject: Readonly<Record<string, VerbHandler>> = { get: getObject, update: updateObject, patch: patchObject };
const scale: Readonly<Record<string, VerbHandler>> = { get: getScale, update: updateScale, patch: patchScale };

/** Those with a behaviour of their own, by "group/plural/subresource" and verb. */
const particular: Readonly<Record<string, Readonly<Record<string, VerbHandler>>>> = {
  '/pods/binding': { create: createBinding },
  '/pods/eviction': { create: createEviction },
  '/serviceaccounts/token': { create: createTokenRequest },
};
const connected = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

export function subresourceHandler(
  served: Served,
  { subresource, verb }: RequestInfo,
  method: string,
): VerbHandler | undefined {
  const { group, plural, kind, subresources } = served.info;
  const facts = Object.hasOwn(subresources, subresource) ? subresources[subresource] : undefined;
  if (!facts) return undefined;
  // Proxies carry OPTIONS, too, which is no verb.
  if (!facts.verbs.includes(verb) && !(subresource === 'proxy' && method === 'OPTIONS')) return undefined;
  if (group === '' && connected.has(subresource)) return connect;
  const own = particular[`${group}/${plural}/${subresource}`];
  if (own) return own[verb];
  if (subresource === 'scale') return scale[verb];
  return facts.kind === kind && facts.group === group ? wholeObject[verb] : undefined;
}
