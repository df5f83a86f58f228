/** Registry credentials from pull secrets. Upstream: pkg/credentialprovider. */
import type { Secret } from '../../api/types/core-v1.ts';
import type { RegistryAuth } from '../runtime/contract.ts';

interface DockerEntry {
  username?: string;
  password?: string;
  auth?: string;
  identitytoken?: string;
  registrytoken?: string;
}
const text = (base64: string): string => new TextDecoder().decode(Uint8Array.from(atob(base64), c => c.charCodeAt(0)));

function entriesOf(secret: Secret): Record<string, DockerEntry> {
  const modern = secret.data?.['.dockerconfigjson'];
  const legacy = secret.data?.['.dockercfg'];
  try {
    if (modern) return (JSON.parse(text(modern)) as { auths?: Record<string, DockerEntry> }).auths ?? {};
    if (legacy) return JSON.parse(text(legacy)) as Record<string, DockerEntry>;
  } catch {
    // A broken secret gives no credentials; the pull then says what is missing.
  }
  return {};
}

/** The image's registry and repository: `docker.io/library/busybox`, `localhost:5000/app`. */
export function repositoryOf(image: string): string {
  const name = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const [first = '', ...rest] = name.split('/');
  const hasRegistry = rest.length > 0 && (first.includes('.') || first.includes(':') || first === 'localhost');
  if (hasRegistry) return name;
  return `docker.io/${rest.length === 0 ? `library/${name}` : name}`;
}

function matches(pattern: string, repository: string): boolean {
  const bare = pattern.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
  const normal = bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
  const [host = '', ...path] = normal.split('/');
  const [ownHost = '', ...ownPath] = repository.split('/');
  const glob = new RegExp(`^${host.split('*').map(literal).join('[^.]*')}$`);
  return glob.test(ownHost) && path.every((part, i) => part === ownPath[i]);
}
const literal = (part: string) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

/** The credentials to try, most specific first; empty: anonymous only. Like upstream without a server address: containerd drops credentials whose address is no URL. */
export function credentialsFor(image: string, secrets: readonly Secret[]): RegistryAuth[] {
  const repository = repositoryOf(image);
  const found = secrets.flatMap(s => Object.entries(entriesOf(s))).filter(([pattern]) => matches(pattern, repository));
  return found
    .sort(([a], [b]) => b.length - a.length)
    .map(([, { username, password, auth, identitytoken, registrytoken }]) => {
      const [user = '', ...rest] = auth ? text(auth).split(':') : [];
      return {
        username: username ?? user,
        password: password ?? rest.join(':'),
        ...(identitytoken && { identityToken: identitytoken }),
        ...(registrytoken && { registryToken: registrytoken }),
      };
    });
}
