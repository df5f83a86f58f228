/**
 * The original's programs, for comparison: Kubernetes 1.20 built from Debian's source package, by Debian's Go, and kept in the user's cache.
 *
 * `TSUKUBE_UPSTREAM_BIN=DIR` uses programs that are there already; `TSUKUBE_UPSTREAM=off` goes without them. The first build takes some
 * minutes of two cores and about 2 GB of disk while it lasts.
 */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Component = 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** What the recorded answers come from. Debian's later releases have later versions, or none. */
const series = '1.20';
const run = promisify(execFile);

const cacheFolder = () =>
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tsukube', `kubernetes-${series}`);

/** Path of each program, or the reason why they cannot be had here. */
export async function originalBinaries(
  components: readonly Component[],
): Promise<{ paths: Record<Component, string> } | { missing: string }> {
  const folder = process.env['TSUKUBE_UPSTREAM_BIN'] || cacheFolder();
  const paths = (from: string) =>
    Object.fromEntries(components.map(name => [name, join(from, name)])) as Record<Component, string>;
  const wanted = components.filter(name => !existsSync(join(folder, name)));
  if (wanted.length === 0) return { paths: paths(folder) };
  if (process.env['TSUKUBE_UPSTREAM_BIN']) return { missing: `${folder} has no ${wanted.join(', ')}` };
  if (process.env['TSUKUBE_UPSTREAM'] === 'off') return { missing: 'TSUKUBE_UPSTREAM=off' };
  for (const tool of ['go', 'apt-get', 'dpkg-source'])
    if (!(await runs(tool, tool === 'go' ? ['version'] : ['--version']))) return { missing: `needs ${tool}` };
  const work = mkdtempSync(join(tmpdir(), 'kubernetes-source-'));
  try {
    const source = await unpack(work);
    if (!source) return { missing: `Debian's sources of Kubernetes ${series} cannot be fetched here` };
    await build(work, source, wanted, folder);
    return { paths: paths(folder) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const succeeds = (running: Promise<unknown>): Promise<boolean> =>
  running.then(
    () => true,
    () => false,
  );
const runs = (command: string, args: readonly string[]): Promise<boolean> => succeeds(run(command, args));

/** Asks for sources wherever the host's configuration asks for binaries. Nothing of the host's configuration changes. */
function sourceLists(work: string): string[] {
  const parts = join(work, 'parts');
  const lists = join(work, 'lists');
  for (const folder of [parts, join(lists, 'partial'), join(work, 'archives', 'partial')])
    mkdirSync(folder, { recursive: true });
  const files = existsSync('/etc/apt/sources.list') ? ['/etc/apt/sources.list'] : [];
  const folder = '/etc/apt/sources.list.d';
  if (existsSync(folder)) files.push(...readdirSync(folder).map(name => join(folder, name)));
  for (const [i, file] of files.filter(name => /\.(list|sources)$/.test(name)).entries()) {
    const text = readFileSync(file, 'utf8');
    if (file.endsWith('.list')) writeFileSync(join(parts, `${i}.list`), text.replaceAll(/^deb(-src)?\s/gm, 'deb-src '));
    else writeFileSync(join(parts, `${i}.sources`), text.replaceAll(/^Types:.*$/gm, 'Types: deb-src'));
  }
  const settings = [
    'Dir::Etc::sourcelist=/dev/null',
    `Dir::Etc::sourceparts=${parts}`,
    `Dir::State::lists=${lists}`,
    `Dir::Cache=${work}`,
    'APT::Sandbox::User=root',
  ];
  return settings.flatMap(setting => ['-o', setting]);
}

/** A copy of it among the sources is older than the Go that Debian has, and crashes at the first custom resource. */
const reflection = 'golang-github-modern-go-reflect2';

/** Where GOPATH expects the sources; undefined when they are not to be had. */
async function unpack(work: string): Promise<string | undefined> {
  const apt = sourceLists(work);
  // A list that cannot be had (a third party without sources) does not matter as long as Debian's can.
  await runs('apt-get', [...apt, 'update', '-qq']);
  const parent = join(work, 'go', 'src', 'k8s.io');
  mkdirSync(parent, { recursive: true });
  const target = join(parent, 'kubernetes');
  const newer = join(target, 'vendor', 'github.com', 'modern-go', 'reflect2');
  if (!(await fetchSource(work, apt, `kubernetes=${await versionOf(apt)}`, target))) return undefined;
  rmSync(newer, { recursive: true, force: true });
  return (await fetchSource(work, apt, reflection, newer)) ? target : undefined;
}

async function fetchSource(work: string, apt: readonly string[], source: string, into: string): Promise<boolean> {
  const folder = mkdtempSync(join(work, 'package-'));
  const fetch = run('apt-get', [...apt, 'source', '-qq', '--download-only', source], { cwd: folder });
  if (!(await succeeds(fetch))) return false;
  const description = readdirSync(folder).find(name => name.endsWith('.dsc'));
  return (
    description !== undefined && (await runs('dpkg-source', ['--no-check', '-x', join(folder, description), into]))
  );
}

async function versionOf(apt: readonly string[]): Promise<string> {
  const { stdout } = await run('apt-cache', [...apt, 'showsrc', 'kubernetes']).catch(() => ({ stdout: '' }));
  const versions = [...stdout.matchAll(/^Version: (.*)$/gm)].map(match => match[1] ?? '');
  return (
    versions
      .filter(version => version.startsWith(`${series}.`))
      .sort()
      .at(-1) ?? series
  );
}

/** Builds in GOPATH mode from the sources' own vendor folder: no network. A program appears in the cache whole or not at all. */
async function build(work: string, source: string, components: readonly Component[], into: string): Promise<void> {
  console.log(`Building ${components.join(', ')} ${series} from Debian's sources: some minutes, once`);
  const env = {
    ...process.env,
    ...{ GOPATH: join(work, 'go'), GOCACHE: join(work, 'cache'), GO111MODULE: 'off', GOFLAGS: '', CGO_ENABLED: '0' },
  };
  const go = (...args: string[]) => run('nice', ['-n', '10', 'go', ...args], { cwd: source, env, maxBuffer: 64 << 20 });
  const generator = join(work, 'openapi-gen');
  await go('build', '-o', generator, './vendor/k8s.io/kube-openapi/cmd/openapi-gen');
  await describeTypes(source, generator, env);
  mkdirSync(into, { recursive: true });
  for (const name of components) {
    const made = join(into, `.${name}.${process.pid}`);
    await go('build', '-ldflags', versionFlags, '-o', made, `./cmd/${name}`);
    renameSync(made, join(into, name));
  }
}

const versionFlags = [
  '-s -w',
  ...['client-go/pkg/version', 'component-base/version'].map(path => {
    const variable = `-X k8s.io/kubernetes/vendor/k8s.io/${path}`;
    return `${variable}.gitVersion=v${series}.2 ${variable}.gitMajor=1 ${variable}.gitMinor=20`;
  }),
].join(' ');

/** Makes the one generated file that the source package lacks: the OpenAPI description of all types that ask for it. */
async function describeTypes(source: string, generator: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { stdout } = await run(
    'find',
    [
      ...['-L', 'vendor/k8s.io', 'pkg', 'cmd', 'plugin', '-name', '*.go', '-not', '-path', '*/testdata/*'],
      ...[
        '-not',
        '-path',
        '*/code-generator/*',
        '-not',
        '-path',
        '*/sample-apiserver/*',
        '-not',
        '-path',
        '*/kube-openapi/*',
      ],
      ...['-exec', 'grep', '-l', '+k8s:openapi-gen=', '{}', '+'],
    ],
    { cwd: source, maxBuffer: 16 << 20 },
  ).catch(error => error as { stdout: string });
  const packages = new Set(
    stdout
      .split('\n')
      .filter(Boolean)
      .map(file => `k8s.io/kubernetes/${file.replace(/\/[^/]*$/, '')}`),
  );
  const inputs = [...packages].sort().join(',');
  const boilerplate = 'vendor/k8s.io/code-generator/hack/boilerplate.go.txt';
  const output = ['-p', 'k8s.io/kubernetes/pkg/generated/openapi', '-O', 'zz_generated.openapi', '-h', boilerplate];
  await run(generator, ['-i', inputs, ...output, '-r', '/dev/null'], { cwd: source, env, maxBuffer: 16 << 20 });
}
