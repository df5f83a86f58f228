/** Writes OCI image archives (image layout in a tar), so that images can be made without any image builder. */
import { createHash } from 'node:crypto';

export interface TarEntry {
  /** Without a leading slash. */
  path: string;
  type?: 'file' | 'directory' | 'symlink' | 'hardlink';
  mode?: number;
  uid?: number;
  gid?: number;
  /** For links. */
  target?: string;
  content?: Uint8Array;
}

const typeFlags = { file: '0', hardlink: '1', symlink: '2', directory: '5' } as const;
const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;

function tarHeader(entry: TarEntry, size: number): Buffer {
  const head = Buffer.alloc(512);
  const type = entry.type ?? 'file';
  const path = type === 'directory' ? `${entry.path.replace(/\/$/, '')}/` : entry.path;
  const cut = path.length > 100 ? path.lastIndexOf('/', path.length - 2 - Math.max(0, path.length - 155)) : -1;
  head.write(cut > 0 ? path.slice(cut + 1) : path, 0, 100);
  head.write(octal(entry.mode ?? (type === 'directory' ? 0o755 : 0o644), 8), 100);
  head.write(octal(entry.uid ?? 0, 8), 108);
  head.write(octal(entry.gid ?? 0, 8), 116);
  head.write(octal(size, 12), 124);
  head.write(octal(0, 12), 136);
  head.write('        ', 148);
  head.write(typeFlags[type], 156);
  head.write(entry.target ?? '', 157, 100);
  head.write('ustar\u000000', 257);
  if (cut > 0) head.write(path.slice(0, cut), 345, 155);
  let sum = 0;
  for (const byte of head) sum += byte;
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return head;
}

/** A ustar archive. Times are zero, so that equal entries give equal bytes. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const content = entry.content ?? new Uint8Array(0);
    parts.push(tarHeader(entry, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export interface ImageDraft {
  /** Fully qualified, such as `localhost/busybox:1`. */
  name: string;
  /** Node's names: x64 or arm64. */
  architecture: string;
  entries: readonly TarEntry[];
  config?: {
    Entrypoint?: string[];
    Cmd?: string[];
    Env?: string[];
    User?: string;
    WorkingDir?: string;
    ExposedPorts?: Record<string, object>;
    Labels?: Record<string, string>;
  };
}

interface Blob {
  digest: string;
  bytes: Buffer;
}
const blob = (bytes: Buffer): Blob => ({ digest: createHash('sha256').update(bytes).digest('hex'), bytes });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const descriptor = (mediaType: string, b: Blob) => ({ mediaType, digest: `sha256:${b.digest}`, size: b.bytes.length });

/** The image's parts: what an archive holds and what a registry serves. */
export function buildImage(draft: ImageDraft): { manifest: Blob; config: Blob; layer: Blob } {
  const layer = blob(tar(draft.entries));
  const architecture = draft.architecture === 'x64' ? 'amd64' : draft.architecture;
  const config = blob(
    json({
      architecture,
      os: 'linux',
      config: draft.config ?? {},
      rootfs: { type: 'layers', diff_ids: [`sha256:${layer.digest}`] },
    }),
  );
  const manifest = blob(
    json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  );
  return { manifest, config, layer };
}

/** An archive that `ctr image import` and `docker load` take. */
export function ociArchive(draft: ImageDraft): Buffer {
  const { manifest, config, layer } = buildImage(draft);
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: {
          'io.containerd.image.name': draft.name,
          'org.opencontainers.image.ref.name': draft.name.slice(draft.name.lastIndexOf(':') + 1),
        },
      },
    ],
  });
  return tar([
    { path: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', content: index },
    ...[manifest, config, layer].map(b => ({ path: `blobs/sha256/${b.digest}`, content: b.bytes })),
  ]);
}
