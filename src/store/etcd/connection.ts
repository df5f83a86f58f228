import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
} from '@grpc/grpc-js';
import type { Clock } from '../../base/clock.ts';
import { StoreError } from '../contract.ts';
import { isTransient, storeError, wasNotProposed } from './errors.ts';
import { schema } from './messages.ts';
import { decode, encode, type Message } from './protobuf.ts';

export interface EtcdTls {
  /** PEM. Without it, the system's authorities are trusted. */
  ca?: Uint8Array;
  /** The client's certificate and key, PEM. */
  cert?: Uint8Array;
  key?: Uint8Array;
  /** The name to verify when it is not the endpoint's host. */
  serverName?: string;
}
export interface EtcdConnectionOptions {
  /** `http://host:port`, `https://host:port` or `host:port` of each member. */
  endpoints: readonly string[];
  tls?: EtcdTls;
  clock: Clock;
  /** Milliseconds until a request is given up; the default is 10 s. */
  requestTimeoutMs?: number;
  /** Milliseconds to wait for one member before the next is tried; the default is 2 s. */
  dialTimeoutMs?: number;
}

const service = 'etcdserverpb';
const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
};

/** `http://host:port` becomes `host:port`. */
const address = (endpoint: string) => endpoint.replace(/^https?:\/\//, '').replace(/\/$/, '');

function credentialsFor(endpoint: string, tls: EtcdTls | undefined): ChannelCredentials {
  if (!tls && !endpoint.startsWith('https://')) return credentials.createInsecure();
  const buffer = (pem: Uint8Array | undefined) => (pem ? Buffer.from(pem) : null);
  const host = hostOf(endpoint);
  const verify = isIP(host) && !tls?.serverName ? { checkServerIdentity: verifyAddress(host) } : {};
  return credentials.createSsl(buffer(tls?.ca), buffer(tls?.key), buffer(tls?.cert), verify);
}

const hostOf = (endpoint: string) =>
  address(endpoint)
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '');
const verifyAddress = (host: string) => (_: string, certificate: PeerCertificate) =>
  checkServerIdentity(host, certificate);

/** TLS wants a name, and gRPC takes none from an address: it is told one, and the certificate is checked against the address. */
function nameOptions(endpoint: string, tls: EtcdTls | undefined): ChannelOptions {
  const name = tls?.serverName ?? (isIP(hostOf(endpoint)) ? 'etcd' : undefined);
  return name ? { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': name } : {};
}

/** The members of a cluster: requests go to one of them, and to the next when it fails. */
export class Connection {
  readonly #clients: readonly Client[];
  readonly #clock: Clock;
  readonly #requestMs: number;
  readonly #dialMs: number;
  readonly #safeProgress = new Map<number, boolean>();
  #current = 0;
  #closed = false;

  constructor(options: EtcdConnectionOptions) {
    if (options.endpoints.length === 0) throw new StoreError('invalid', 'no etcd endpoint is given');
    this.#clock = options.clock;
    this.#requestMs = options.requestTimeoutMs ?? 10_000;
    this.#dialMs = options.dialTimeoutMs ?? 2_000;
    const { tls } = options;
    this.#clients = options.endpoints.map(
      endpoint =>
        new Client(address(endpoint), credentialsFor(endpoint, tls), {
          ...channelOptions,
          ...nameOptions(endpoint, tls),
        }),
    );
  }

  get members(): number {
    return this.#clients.length;
  }

  /**
   * Sends a request and gives the answer. A request that did not reach a member is sent to the next one; so is one that changes nothing
   * (`again`) when its member fails. Rejects with a `StoreError`; "unavailable" when the outcome is not known.
   */
  async call(method: string, request: string, response: string, message: Message, again: boolean): Promise<Message> {
    const deadline = this.#clock.monotonic() + this.#requestMs;
    let failure: unknown = new StoreError('unavailable', 'no member of the etcd cluster answers');
    while (this.#clock.monotonic() < deadline) {
      this.#check();
      const at = this.#current;
      const client = await this.#ready(at);
      if (!client) continue;
      try {
        const left = Math.max(1, deadline - this.#clock.monotonic());
        // A read may be tried elsewhere, so that a silent member does not use up the time.
        return await this.#unary(
          client,
          method,
          request,
          response,
          message,
          again ? Math.min(left, this.#requestMs / 3) : left,
        );
      } catch (error) {
        if (!isTransient(error)) throw storeError(error);
        failure = error;
        this.#leave(at);
        if (!again && !wasNotProposed(error)) break;
        await this.pause(50);
      }
    }
    throw storeError(failure);
  }

  /** Opens a stream on a member that answers; undefined when the current one does not, and the next should be tried. */
  async stream(
    method: string,
    request: string,
    response: string,
  ): Promise<{ call: Stream; member: number } | undefined> {
    this.#check();
    const member = this.#current;
    const client = await this.#ready(member);
    if (!client) return undefined;
    const call = client.makeBidiStreamRequest<Message, Message>(
      `/${service}.${method}`,
      value => encode(schema, request, value),
      value => decode(schema, response, value),
      requireLeader(),
    );
    return { call, member };
  }

  /**
   * Whether the member's answers to requests for progress can be believed. Before 3.4.25 and 3.5.8 they overtake events
   * (etcd issue 15220), so that a watcher would take what is still to come for what does not exist.
   */
  async progressIsSafe(member: number): Promise<boolean> {
    const known = this.#safeProgress.get(member);
    if (known !== undefined) return known;
    const client = this.#clients[member] as Client;
    const status = await this.#unary(client, 'Maintenance/Status', 'StatusRequest', 'StatusResponse', {}, this.#dialMs);
    const safe = progressIsSafe(String(status['version'] ?? ''));
    this.#safeProgress.set(member, safe);
    return safe;
  }

  /** Moves on from a member that failed, unless somebody already did. */
  leave(member: number): void {
    this.#leave(member);
  }

  pause(ms: number): Promise<void> {
    return new Promise(resolve => void this.#clock.setTimer(resolve, ms));
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#clients) client.close();
  }

  #check(): void {
    if (this.#closed) throw new StoreError('closed', 'the store is closed');
  }

  #leave(member: number): void {
    if (this.#current === member) this.#current = (member + 1) % this.#clients.length;
  }

  #ready(member: number): Promise<Client | undefined> {
    const client = this.#clients[member] as Client;
    return new Promise(resolve => {
      client.waitForReady(new Date(this.#clock.now() + this.#dialMs), error => {
        if (error) this.#leave(member);
        resolve(error ? undefined : client);
      });
    });
  }

  #unary(
    client: Client,
    method: string,
    request: string,
    response: string,
    message: Message,
    timeoutMs: number,
  ): Promise<Message> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<Message, Message>(
        `/${service}.${method}`,
        value => encode(schema, request, value),
        value => decode(schema, response, value),
        message,
        requireLeader(),
        { deadline: new Date(this.#clock.now() + timeoutMs) },
        (error, value) => (error ? reject(error) : resolve(value ?? {})),
      );
    });
  }
}

function progressIsSafe(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(part => Number.parseInt(part, 10));
  if (major !== 3 || minor >= 6) return major > 3 || minor >= 6;
  return (minor === 5 && patch >= 8) || (minor === 4 && patch >= 25);
}

export type Stream = ClientDuplexStream<Message, Message>;

/** Asks a member that has lost its leader to say so at once. */
function requireLeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('hasleader', 'true');
  return metadata;
}
