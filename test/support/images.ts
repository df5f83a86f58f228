/** Test images made from what Debian's packages installed on this machine. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { type ImageDraft, ociArchive, type TarEntry } from '../../src/kubelet/images/oci-archive.ts';

export const busyboxImage = 'localhost/busybox:1';

/** A program and the shared libraries it needs, at their own paths. */
export function programFiles(binary: string, as = binary): TarEntry[] {
  const entries: TarEntry[] = [{ path: as.slice(1), mode: 0o755, content: readFileSync(realpathSync(binary)) }];
  for (const library of librariesOf(binary))
    entries.push({ path: library.slice(1), mode: 0o755, content: readFileSync(realpathSync(library)) });
  return entries;
}

/** Absolute paths, as the loader names them. Empty for a static program. */
function librariesOf(binary: string): string[] {
  try {
    const out = execFileSync('ldd', [binary], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return [...out.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(m => m[1] ?? '');
  } catch {
    return [];
  }
}

export function unique(entries: readonly TarEntry[]): TarEntry[] {
  return [...new Map(entries.map(e => [e.path, e])).values()];
}

/** An entry for every parent directory, before its children: some runtimes want them. */
export function withDirectories(entries: readonly TarEntry[]): TarEntry[] {
  const directories = new Set<string>();
  for (const { path } of entries) {
    const parts = path.split('/').slice(0, -1);
    for (let i = 1; i <= parts.length; i++) directories.add(parts.slice(0, i).join('/'));
  }
  const known = new Set(entries.filter(e => e.type === 'directory').map(e => e.path));
  const made = [...directories].filter(d => !known.has(d)).sort();
  return [...made.map((path): TarEntry => ({ path, type: 'directory' })), ...entries];
}

/** Debian's dynamic busybox (its static one crashes in wget) with every applet linked in /bin. */
export function busyboxDraft(name = busyboxImage): ImageDraft {
  const applets = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  const links = applets
    .filter(a => a !== 'busybox')
    .map((a): TarEntry => ({ path: `bin/${a}`, type: 'symlink', target: '/bin/busybox', mode: 0o777 }));
  const etc: TarEntry[] = [
    { path: 'etc/passwd', content: Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n') },
    { path: 'etc/group', content: Buffer.from('root:x:0:\nnogroup:x:65534:\n') },
    { path: 'etc/nsswitch.conf', content: Buffer.from('hosts: files dns\n') },
    { path: 'tmp', type: 'directory', mode: 0o1777 },
    { path: 'root', type: 'directory', mode: 0o700 },
  ];
  const nss = ['/lib/x86_64-linux-gnu/libnss_dns.so.2', '/lib/aarch64-linux-gnu/libnss_dns.so.2'].filter(existsSync);
  const extra = nss.map((p): TarEntry => ({ path: p.slice(1), mode: 0o755, content: readFileSync(realpathSync(p)) }));
  return {
    name,
    architecture: process.arch,
    entries: withDirectories(unique([...programFiles('/bin/busybox'), ...extra, ...etc, ...links])),
    config: { Cmd: ['sh'], Env: ['PATH=/bin:/usr/bin'] },
  };
}

export const busyboxArchive = (name?: string): Buffer => ociArchive(busyboxDraft(name));

/** A web server as the official nginx image: files in /usr/share/nginx/html on port 80, and curl; /version tells the image's tag. */
export function nginxDraft(tag: string): ImageDraft {
  const configuration = `user root;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr;
events { worker_connections 512; }
http {
  access_log off;
  server {
    listen 80;
    root /usr/share/nginx/html;
    location = /version { return 200 "${tag}\\n"; }
  }
}
`;
  const folders = ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(d => `var/lib/nginx/${d}`);
  return withProgram(`docker.io/library/nginx:${tag}`, ['/usr/sbin/nginx', '/usr/bin/curl'], {
    entries: [
      { path: 'etc/nginx/nginx.conf', content: Buffer.from(configuration) },
      { path: 'usr/share/nginx/html/index.html', content: Buffer.from('<h1>Welcome</h1>\n') },
      ...['run', 'var/log/nginx', ...folders].map((path): TarEntry => ({ path, type: 'directory' })),
    ],
    command: ['nginx', '-g', 'daemon off;'],
  });
}

/** A database as the official redis image: port 6379, without protected mode. */
export function redisDraft(tag: string): ImageDraft {
  return withProgram(`docker.io/library/redis:${tag}`, ['/usr/bin/redis-server', '/usr/bin/redis-cli'], {
    entries: [
      { path: 'data', type: 'directory', mode: 0o777 },
      // As the official image: in a container the network is the protection.
      { path: 'bin/start', mode: 0o755, content: Buffer.from('#!/bin/sh\nexec "$@" --protected-mode no\n') },
    ],
    entrypoint: ['/bin/start'],
    command: ['redis-server'],
  });
}

/** Busybox, which gives a shell, and programs in their places. */
function withProgram(
  name: string,
  binaries: readonly string[],
  {
    entries,
    entrypoint,
    command,
  }: { readonly entries: readonly TarEntry[]; readonly entrypoint?: string[]; readonly command: string[] },
): ImageDraft {
  const base = busyboxDraft(name);
  const programs = binaries.flatMap(binary => programFiles(binary));
  return {
    ...base,
    entries: withDirectories(unique([...base.entries, ...programs, ...entries])),
    config: { ...(entrypoint && { Entrypoint: entrypoint }), Cmd: command, Env: ['PATH=/bin:/usr/bin:/usr/sbin'] },
  };
}
