/**
 * The plain request and response that every adapter (HTTP, in-process, message port) maps to and from. The API server is
 * one function `Handler`; a client's transport is the same function seen from the other side.
 */

import type { Awaitable } from '../base/awaitable.ts';

/** A connection turned into raw bytes both ways, after an upgrade (exec, attach, port-forward) or for proxying. */
export interface ByteStream {
  /** Bytes from the peer; ends when the peer closes its side, throws when the connection breaks. */
  readonly readable: AsyncIterable<Uint8Array>;
  /** Resolves when the peer's window took the bytes. Rejects once closed. */
  write(chunk: Uint8Array): Promise<void>;
  /** Half-closes: no more writes. */
  end(): void;
  /** Drops the connection. */
  destroy(error?: Error): void;
}

/** What the adapter proved about the peer. Never taken from headers. */
export interface Peer {
  /** Remote address without port, when there is one. */
  address?: string;
  /** The verified client certificate (chain to the client CA, validity and usage checked by the adapter). */
  certificate?: {
    commonName: string;
    organizations: readonly string[];
    /** DER, for audit and proxies. */
    raw?: Uint8Array;
    /** Which authority the chain leads to; absent means the client CA. */
    authority?: 'client' | 'front-proxy';
  };
  /** Set by the in-process transport only: an identity that needs no credentials (loopback client of the same process). */
  user?: UserInfo;
}

export interface UserInfo {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

export interface ApiRequest {
  /** Upper case. */
  method: string;
  /** Percent-encoded path without query, starting with "/". */
  path: string;
  query: URLSearchParams;
  /** Names in lower case; repeated headers joined with ", ". */
  headers: Readonly<Record<string, string>>;
  /** Whole body, or undefined when there is none. The adapter enforces the size limit before calling (413). */
  body?: Uint8Array | undefined;
  peer: Peer;
  /** Aborted when the client goes away or the connection closes. */
  signal: AbortSignal;
  /** Takes the connection over, for upgrades. Present when the client asked for one and the adapter can. */
  upgrade?: ((status: number, headers: Record<string, string>) => Promise<ByteStream>) | undefined;
}

export interface ApiResponse {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  /**
   * Whole bytes, or a stream (watch, logs). A stream is read at the client's pace; its iterator's `return()` is called when the
   * client goes away. Undefined after an upgrade (status 101).
   */
  body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** Client side of an upgrade: the raw connection. */
  stream?: ByteStream | undefined;
}

/** Never rejects for a bad request: errors are responses. Rejects only when the transport itself failed. */
export type Handler = (request: ApiRequest) => Awaitable<ApiResponse>;

export interface Transport {
  request(request: Omit<ApiRequest, 'peer' | 'upgrade'> & { peer?: Peer }): Promise<ApiResponse>;
  close(): Promise<void>;
}
