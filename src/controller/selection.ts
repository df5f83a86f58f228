import type { Controller } from './contract.ts';

/**
 * Which controllers run, as `--controllers` says it: "name" is on, "-name" is off, "*" means all that are not off by default; the first
 * mention counts. Throws for a name that no controller has.
 */
export function selectControllers(
  controllers: readonly Controller[],
  enabled: readonly string[] = ['*'],
): Controller[] {
  const known = new Set(controllers.flatMap(c => [c.name, ...(c.aliases ?? [])]));
  for (const pattern of enabled) {
    const name = pattern.replace(/^-/, '');
    if (name !== '*' && !known.has(name)) throw new Error(`"${name}" is not in the list of known controllers`);
  }
  const all = enabled.includes('*');
  return controllers.filter(controller => {
    for (const name of [controller.name, ...(controller.aliases ?? [])]) {
      if (enabled.includes(name)) return true;
      if (enabled.includes(`-${name}`)) return false;
    }
    return all && !controller.disabledByDefault;
  });
}
