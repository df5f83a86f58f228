/**
 * `npm run build`: bundles the command line and the library into dist/, so that starting reads a few files instead of hundreds.
 * With --types also the type declarations, for the published package; --outdir names another folder.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values } = parseArgs({
  options: { outdir: { type: 'string', default: 'dist' }, types: { type: 'boolean', default: false } },
});
const { outdir } = values;
rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: {
    tsukube: 'src/cli/main.ts',
    'store-worker': 'src/store/embedded/worker.ts',
    client: 'src/client/index.ts',
    'client-node': 'src/client/node/index.ts',
    controller: 'src/controller/index.ts',
    testing: 'src/testing/index.ts',
    scheduler: 'src/scheduler/index.ts',
  },
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
});
if (existsSync('src/api/catalog/docs.json')) copyFileSync('src/api/catalog/docs.json', `${outdir}/docs.json`);
if (values.types)
  execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', `${outdir}/types`], {
    stdio: 'inherit',
  });
