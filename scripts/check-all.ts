import { spawn } from 'node:child_process';
import { importViolations } from './import-graph.ts';

function run(name: string, command: string, args: string[]): Promise<string | undefined> {
  return new Promise(resolve => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    child.stderr.on('data', chunk => {
      output += chunk;
    });
    child.on('close', code => resolve(code === 0 ? undefined : `${name} failed:\n${output}`));
  });
}

/** Types, lint, formatting and the import graph of the checkout in the current folder. One text per failing check. */
export async function check(): Promise<string[]> {
  const results = await Promise.all([
    run('types', 'node_modules/.bin/tsc', ['-p', '.', '--pretty', 'false']),
    run('lint and formatting', 'node_modules/.bin/biome', ['check', '--max-diagnostics=20']),
  ]);
  const graph = importViolations(process.cwd());
  if (graph.length > 0) results.push(`import graph and limits:\n${graph.join('\n')}`);
  return results.filter(result => result !== undefined);
}
