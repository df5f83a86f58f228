/** What hangs below an object: status, scale and the particular ones. */
import { patchObject } from './patch.ts';
import { getObject } from './read.ts';
import type { Served, VerbHandler } from './scope.ts';
import { updateObject } from './update.ts';

/** Subresources whose kind is the object itself: read as it is, written through the kind's subresource strategy. */
const wholeObject: Readonly<Record<string, VerbHandler>> = { get: getObject, update: updateObject, patch: patchObject };

export function subresourceHandler(
  served: Served,
  subresource: string,
  verb: string,
  _method: string,
): VerbHandler | undefined {
  const facts = served.info.subresources[subresource];
  if (!facts) return undefined;
  const own = facts.kind === served.info.kind && facts.group === served.info.group;
  if (own && facts.verbs.includes(verb)) return wholeObject[verb];
  return undefined;
}
