/**
 * The image every sandbox runs: a program that sleeps for ever and, as init of a shared process namespace, reaps orphans. It is
 * about a hundred bytes of machine code, made here so that a node needs no registry to start its first pod.
 */
import { ociArchive } from './oci-archive.ts';

export const pauseImage = 'tsukube.local/pause:1';

const origin = 0x400000;
const headerSize = 64 + 56;

/**
 * rt_sigaction(SIGCHLD, {SIG_IGN}): the kernel then reaps children by itself. After it, pause for ever.
 * The `struct sigaction` (handler 1, then zeros) follows the code.
 */
const x64 = [
  0xb8, 0x0d, 0, 0, 0, // mov eax, rt_sigaction
  0xbf, 0x11, 0, 0, 0, // mov edi, SIGCHLD
  0x48, 0x8d, 0x35, 0x13, 0, 0, 0, // lea rsi, [rip + 19]
  0x31, 0xd2, // xor edx, edx
  0x41, 0xba, 0x08, 0, 0, 0, // mov r10d, 8
  0x0f, 0x05, // syscall
  0xb8, 0x22, 0, 0, 0, // mov eax, pause
  0x0f, 0x05, // syscall
  0xeb, 0xf7, // jmp to the mov
]; // biome-ignore format: one instruction per line

const arm64Words = [
  0xd28010c8, // mov x8, rt_sigaction
  0xd2800220, // mov x0, SIGCHLD
  0x10000161, // adr x1, the struct, 11 instructions on
  0xd2800002, // mov x2, 0
  0xd2800103, // mov x3, 8
  0xd4000001, // svc 0
  0xd2800928, // mov x8, ppoll
  0xd2800000, // mov x0, 0
  0xd2800001, // mov x1, 0
  0xd2800002, // mov x2, 0
  0xd2800003, // mov x3, 0
  0xd4000001, // svc 0
  0x17fffffa, // b back to ppoll
];

function littleEndianWords(words: readonly number[]): Buffer {
  const out = Buffer.alloc(words.length * 4);
  for (const [i, w] of words.entries()) out.writeUInt32LE(w, i * 4);
  return out;
}

/** A static ELF executable with one loadable segment. */
export function pauseProgram(architecture: string): Buffer {
  const arm = architecture === 'arm64';
  const code = arm ? littleEndianWords(arm64Words) : Buffer.from(x64);
  const action = Buffer.alloc(32);
  action[0] = 1;
  const body = Buffer.concat([code, action]);
  const head = Buffer.alloc(headerSize);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(arm ? 183 : 62, 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(BigInt(origin + headerSize), 24);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(64, 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  const segment = head.subarray(64);
  segment.writeUInt32LE(1, 0);
  segment.writeUInt32LE(5, 4);
  segment.writeBigUInt64LE(BigInt(origin), 16);
  segment.writeBigUInt64LE(BigInt(origin), 24);
  segment.writeBigUInt64LE(BigInt(headerSize + body.length), 32);
  segment.writeBigUInt64LE(BigInt(headerSize + body.length), 40);
  segment.writeBigUInt64LE(0x1000n, 48);
  return Buffer.concat([head, body]);
}

export function pauseArchive(architecture: string): Buffer {
  return ociArchive({
    name: pauseImage,
    architecture,
    entries: [{ path: 'pause', mode: 0o755, content: pauseProgram(architecture) }],
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
  });
}
