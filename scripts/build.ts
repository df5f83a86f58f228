/** `npm run build [FOLDER]`: bundles the command line into dist/ (or FOLDER), so that starting reads a few files instead of hundreds. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const folder = process.argv[2] ?? 'dist';
rmSync(folder, { recursive: true, force: true });
await build({
  entryPoints: { tsukube: 'src/cli/main.ts', 'store-worker': 'src/store/embedded/worker.ts' },
  outdir: folder,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  legalComments: 'none',
  logLevel: 'warning',
});
if (existsSync('src/api/catalog/docs.json')) copyFileSync('src/api/catalog/docs.json', `${folder}/docs.json`);
