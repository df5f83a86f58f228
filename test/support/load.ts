/**
 * `node load.ts URL`: asks again and again, each time on a new connection, four at a time, until standard input ends or a minute is over. Prints
 * how many answers were 200, what else there was, and the bodies seen, as JSON.
 */
import { get } from 'node:http';

const url = process.argv[2] ?? '';
const result = { ok: 0, failed: [] as string[], bodies: [] as string[] };
let running = true;
process.stdin.resume().once('end', () => {
  running = false;
});
const deadline = performance.now() + 60_000;

function ask(): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: 5_000 }, response => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('error', reject).once('end', () => {
        if (response.statusCode === 200) resolve(body.trim());
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.once('timeout', () => request.destroy(new Error('timed out'))).once('error', reject);
  });
}

async function client(): Promise<void> {
  while (running && performance.now() < deadline) {
    try {
      const body = await ask();
      result.ok += 1;
      if (!result.bodies.includes(body)) result.bodies.push(body);
    } catch (error) {
      if (result.failed.length < 20) result.failed.push(String(error));
    }
  }
}

await Promise.all([client(), client(), client(), client()]);
console.log(JSON.stringify(result));
