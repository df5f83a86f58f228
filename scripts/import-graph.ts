/**
 * The import rules of docs/architecture.md, checked on the source text: arrows run one way, and the portable core imports nothing from `node:`.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const foundation = ['base'];
/** Folder under src → folders it may import from (besides itself). */
const allowed: Record<string, readonly string[]> = {
  base: [],
  api: ['base'],
  store: ['base'],
  pki: ['base', 'api'],
  client: ['base', 'api'],
  controller: ['base', 'api', 'client'],
  'apiserver/storage': ['base', 'api', 'client', 'controller', 'store', 'apiserver'],
};
const component = [...foundation, 'api', 'client', 'controller', 'pki'];
const seesEverything = ['cli', 'testing', 'index.ts'];

/** Folders (and files) of the portable core. Sockets, TLS, files and processes enter through the adapters named in `adapters`. */
const portable = [
  'base',
  'api',
  'client',
  'controller',
  'store/memory',
  'store/contract.ts',
  'apiserver',
  'controllers',
  'scheduler',
  'kubelet/runtime/simulated',
];
const adapters = [
  'client/node',
  'apiserver/http',
  'apiserver/adapters',
  'controllers/adapters',
  'scheduler/adapters',
  'base/node',
];
/** Where time, chance and timers come from, and adapters around real sockets, files and threads, which never run on virtual time. */
const hostClocks = [
  'base/clock.ts',
  'base/random.ts',
  'base/virtual-clock.ts',
  'cli',
  'apiserver/http',
  'store/embedded',
  'store/etcd',
  'kubelet/host',
  'kubelet/grpc',
  'kubelet/server',
];
/** Files longer than 500 lines, with the reason. */
const longFiles: Record<string, string> = {};

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g;
const hostCall =
  /\b(?:Date\.now|Math\.random|crypto\.randomUUID|performance\.now|setTimeout|setInterval|setImmediate)\s*\(|\bnew Date\(\s*\)/;
const under = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

function topFolder(path: string): string {
  return under(path, 'apiserver/storage') ? 'apiserver/storage' : (path.split('/')[0] ?? '');
}

function importError(file: string, target: string): string | undefined {
  const from = topFolder(file);
  const to = topFolder(target);
  if (from === to || seesEverything.includes(from)) return undefined;
  const base = from.startsWith('apiserver') && to.startsWith('apiserver');
  if (base) return undefined;
  const may = allowed[from] ?? component;
  if (may.includes(to)) return undefined;
  return `src/${file} imports src/${target}: ${from} may import only ${may.join(', ') || 'nothing'}`;
}

/** One line per broken rule; empty when all is well. */
export function importViolations(root: string): string[] {
  const out: string[] = [];
  for (const path of globSync('src/**/*.ts', { cwd: root })) {
    const file = path.slice('src/'.length);
    const text = readFileSync(join(root, path), 'utf8');
    const isTest = file.endsWith('.test.ts');
    const isPortable = portable.some(f => under(file, f)) && !adapters.some(f => under(file, f));
    for (const match of text.matchAll(importPattern)) {
      const specifier = match[1] ?? match[2] ?? match[3] ?? '';
      if (specifier.startsWith('.')) {
        const target = normalize(join(dirname(file), specifier));
        // A contract is types and errors; everybody who is handed a store may name them.
        if (target === 'store/contract.ts') continue;
        const error = isTest || target.startsWith('..') ? undefined : importError(file, target);
        if (error) out.push(error);
      } else if (specifier.startsWith('node:') && isPortable && !isTest) {
        out.push(`src/${file} imports ${specifier}: it belongs to the portable core`);
      }
    }
    if (!isTest && !hostClocks.some(f => under(file, f))) {
      text.split('\n').forEach((line, index) => {
        if (hostCall.test(line) && !/^\s*(\*|\/\/)/.test(line) && !line.includes('host-clock:'))
          out.push(`src/${file}:${index + 1} asks the host for time or chance: use the Clock or Random given`);
      });
    }
    const lines = text.split('\n').length;
    if (lines > 500 && !isTest && !under(file, 'api/types') && !longFiles[file])
      out.push(`src/${file} has ${lines} lines (500 at most; exceptions are named in scripts/import-graph.ts)`);
  }
  return out;
}
