/** Runs tables of request-and-answer cases against any server of the Kubernetes API. A second implementation gives its own `Target`. */
import assert from 'node:assert/strict';
import type { ApiResponse, Transport } from '../../../src/api/transport.ts';

export interface Target {
  readonly name: string;
  readonly transport: Transport;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are whatever the server says
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly json: Json;
}
export interface Ask {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: Uint8Array | string;
  readonly headers?: Record<string, string>;
}
export interface Kit {
  /** A namespace of this case's own. */
  readonly ns: string;
  /** `METHOD`, a path with query, and a body; any status. */
  ask(method: string, target: string, ask?: Ask): Promise<Answer>;
  /** The same, and the status must be this one. Gives the parsed answer. */
  expect(status: number, method: string, target: string, ask?: Ask): Promise<Json>;
  /** Opens a watch and gives its first `count` events, or those until the condition holds. `act` runs when the stream is open. */
  watch(
    target: string,
    count: number | ((events: readonly Json[]) => boolean),
    act?: () => Promise<unknown>,
  ): Promise<Json[]>;
  /** Path of core resources in the case's namespace. */
  core(plural: string, name?: string, sub?: string): string;
}
export interface Case {
  readonly name: string;
  run(kit: Kit): Promise<void>;
}

const encoder = new TextEncoder();

async function bytesOf(body: ApiResponse['body']): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function split(target: string): { path: string; query: URLSearchParams } {
  const [path = '', query = ''] = target.split('?', 2);
  return { path, query: new URLSearchParams(query) };
}

export function kitFor(target: Target, ns: string): Kit {
  const { transport } = target;
  async function ask(method: string, to: string, { body, raw, headers = {} }: Ask = {}): Promise<Answer> {
    const bytes = raw === undefined ? (body === undefined ? undefined : JSON.stringify(body)) : raw;
    const response = await transport.request({
      method,
      ...split(to),
      headers: {
        accept: 'application/json',
        ...(bytes !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(bytes !== undefined && { body: typeof bytes === 'string' ? encoder.encode(bytes) : bytes }),
      signal: AbortSignal.timeout(20_000),
    });
    const got = await bytesOf(response.body);
    const text = Buffer.from(got).toString();
    let json: Json;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, headers: response.headers, bytes: got, text, json };
  }
  return {
    ns,
    ask,
    async expect(status, method, to, rest) {
      const answer = await ask(method, to, rest);
      assert.equal(answer.status, status, `${method} ${to}: ${answer.text.slice(0, 500)}`);
      return answer.json;
    },
    async watch(to, count, act) {
      const gone = new AbortController();
      const timer = setTimeout(() => gone.abort(new Error(`the events did not come in time from ${to}`)), 10_000);
      const events: Json[] = [];
      try {
        const response = await transport.request({
          method: 'GET',
          ...split(to),
          headers: { accept: 'application/json' },
          signal: gone.signal,
        });
        assert.equal(response.status, 200);
        const acting = act?.();
        let rest = '';
        for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
          rest += Buffer.from(chunk).toString();
          for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n')) {
            events.push(JSON.parse(rest.slice(0, at)));
            rest = rest.slice(at + 1);
          }
          if (typeof count === 'number' ? events.length >= count : count(events)) break;
        }
        await acting;
      } finally {
        clearTimeout(timer);
        gone.abort();
      }
      return events;
    },
    core: (plural, name, sub) =>
      `/api/v1/namespaces/${ns}/${plural}${name === undefined ? '' : `/${name}`}${sub === undefined ? '' : `/${sub}`}`,
  };
}

export const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(labels && { labels }) },
  data,
});
export const pod = (name: string, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'c', image: 'example.com/c:1' }] },
});

export function assertStatus(got: Json, reason: string, message?: RegExp): void {
  assert.equal(got.kind, 'Status');
  assert.equal(got.apiVersion, 'v1');
  assert.equal(got.status, 'Failure');
  assert.equal(got.reason, reason);
  if (message) assert.match(got.message, message);
}
