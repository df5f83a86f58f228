/**
 * Controllers that act as service accounts, each with its own rights (upstream's --use-service-account-credentials=true,
 * k8s.io/controller-manager/pkg/clientbuilder).
 */
import type { Transport } from '../api/transport.ts';
import type { TokenRequest } from '../api/types/authentication-v1.ts';
import type { ServiceAccount } from '../api/types/core-v1.ts';
import type { Clock } from '../base/clock.ts';
import { isAlreadyExists, isNotFound } from '../base/errors.ts';
import { createClient } from '../client/client.ts';
import type { Client } from '../client/contract.ts';
import { readAll } from '../client/lines.ts';

export interface AccountClients {
  /** The manager's own: may make service accounts and ask for their tokens. */
  readonly client: Client;
  /** To the same server, proving nothing: certificates would count before tokens. Shared by all accounts and not closed by them. */
  readonly transport: Transport;
  readonly clock: Clock;
  /** What begins the user agent, and so names the manager of fields; the account's name follows it. */
  readonly userAgent: string;
}

const namespace = 'kube-system';
const tokenSeconds = 3600;
/** A token is replaced when this part of its life is over. */
const renewAt = 0.8;

/**
 * Gives a client per account. Accounts are made when they are missing and tokens asked for when the first request is sent; a token that
 * is refused is replaced once. Errors of either are those of the request.
 */
export function createAccountClients(options: AccountClients): (account: string) => Client {
  return account =>
    createClient(bearer(options.transport, tokenSource(options, account)), {
      userAgent: `${options.userAgent}/system:serviceaccount:${namespace}:${account}`,
      clock: options.clock,
    });
}

interface TokenSource {
  get(): Promise<string>;
  refused(): void;
}

function tokenSource({ client, clock }: AccountClients, account: string): TokenSource {
  let kept: { token: string; until: number } | undefined;
  let asking: Promise<string> | undefined;
  async function ask(): Promise<string> {
    const { status } = await requestToken(client, account);
    const life = Date.parse(status?.expirationTimestamp ?? '') - clock.now();
    kept = { token: status?.token ?? '', until: clock.monotonic() + life * renewAt };
    return kept.token;
  }
  return {
    async get() {
      if (kept && clock.monotonic() < kept.until) return kept.token;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    refused() {
      kept = undefined;
    },
  };
}

async function requestToken(client: Client, account: string): Promise<TokenRequest> {
  const accounts = client.serviceaccounts(namespace);
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [], expirationSeconds: tokenSeconds },
  };
  const ask = () => accounts.createSubresource<typeof request, TokenRequest>(account, 'token', request);
  try {
    return await ask();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await accounts.create({ metadata: { name: account } } as ServiceAccount).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
  return ask();
}

function bearer(transport: Transport, source: TokenSource): Transport {
  return {
    async request(request) {
      const send = async () =>
        transport.request({
          ...request,
          headers: { ...request.headers, authorization: `Bearer ${await source.get()}` },
        });
      const response = await send();
      if (response.status !== 401) return response;
      await readAll(response.body);
      source.refused();
      return send();
    },
    async close() {},
  };
}
