/** What proves who the client is. Certificates are used when a connection is made, tokens with each request. */
export interface Credentials {
  readonly token?: string;
  /** PEM. */
  readonly cert?: string;
  readonly key?: string;
  readonly basic?: { readonly username: string; readonly password: string };
}

export interface CredentialSource {
  /** Current credentials. May read a file or run a program; caches what it can. */
  get(): Promise<Credentials>;
  /** The server said 401 to what `get` gave: forget what is cached. True when asking again may help. */
  refused(): boolean;
}

export function fixedCredentials(credentials: Credentials): CredentialSource {
  return { get: async () => credentials, refused: () => false };
}

export function authorizationOf({ token, basic }: Credentials): string | undefined {
  if (token) return `Bearer ${token}`;
  if (!basic) return undefined;
  return `Basic ${Buffer.from(`${basic.username}:${basic.password}`).toString('base64')}`;
}
