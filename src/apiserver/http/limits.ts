/** What one client may cost. Times in milliseconds, sizes in bytes. */
export interface HttpLimits {
  /** Upstream's MaxRequestBodyBytes. */
  readonly body: number;
  /** All unfinished bodies of all clients: one may have a thousand on their way. */
  readonly openBodies: number;
  readonly headers: number;
  readonly streamsPerConnection: number;
  /** Time to finish the TLS handshake, and to send the first request's headers. */
  readonly handshakeMs: number;
  /** Time to send a request's body. */
  readonly bodyMs: number;
  /** A connection without requests is closed after this. */
  readonly idleMs: number;
  readonly keepAliveProbeMs: number;
}

export const defaultLimits: HttpLimits = {
  body: 3 << 20,
  openBodies: 256 << 20,
  headers: 64 << 10,
  streamsPerConnection: 1_000,
  handshakeMs: 10_000,
  bodyMs: 60_000,
  idleMs: 180_000,
  keepAliveProbeMs: 30_000,
};
