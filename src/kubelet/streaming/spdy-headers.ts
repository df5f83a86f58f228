/** Header blocks of SPDY/3.1: name-value pairs through zlib with a fixed dictionary (SPDY draft 3, section 2.6.10). */
import { createInflate } from 'node:zlib';

const words = [
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow',
  'authorization cache-control connection content-base content-encoding content-language content-length content-location',
  'content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match',
  'if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range',
  'referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method',
  'get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin',
]
  .join(' ')
  .split(' ')
  .map(word => word.replace('_', ' '));
const tail = [
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505',
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden',
  '404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable',
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT',
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,',
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.',
].join('');

function withLength(text: string): Buffer {
  const out = Buffer.alloc(4 + text.length);
  out.writeUInt32BE(text.length, 0);
  out.write(text, 4, 'latin1');
  return out;
}
export const spdyDictionary = Buffer.concat([...words.map(withLength), Buffer.from(tail, 'latin1')]);
/** CMF, FLG with FDICT, and the dictionary's Adler-32. */
const zlibHeader = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);

/** An empty stored block: Go's inflater hands out what it has only when it meets one. */
const flush = Buffer.from([0, 0, 0, 0xff, 0xff]);

export type Headers = Record<string, string>;

/** Encodes blocks as stored (uncompressed) deflate blocks: every inflater reads them, and no state is kept. */
export function createHeaderEncoder(): (headers: Headers) => Buffer {
  let first = true;
  return headers => {
    const pairs = Object.entries(headers);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(pairs.length, 0);
    const plain = Buffer.concat([count, ...pairs.flatMap(([k, v]) => [withLength(k.toLowerCase()), withLength(v)])]);
    if (plain.length > 0xffff) throw new Error('header block too large');
    const block = Buffer.alloc(5);
    block.writeUInt16LE(plain.length, 1);
    block.writeUInt16LE(~plain.length & 0xffff, 3);
    const out = Buffer.concat(first ? [zlibHeader, block, plain, flush] : [block, plain, flush]);
    first = false;
    return out;
  };
}

/** Decodes blocks in order; the inflater's window is shared by all blocks of a connection. */
export function createHeaderDecoder(): { decode(block: Uint8Array): Promise<Headers>; close(): void } {
  const inflate = createInflate({ dictionary: spdyDictionary });
  let out: Buffer[] = [];
  let failure: Error | undefined;
  inflate.on('data', (chunk: Buffer) => out.push(chunk));
  inflate.on('error', error => {
    failure = error;
  });
  return {
    async decode(block) {
      out = [];
      await new Promise<void>((resolve, reject) => {
        inflate.once('error', reject);
        inflate.write(block, () => {
          inflate.off('error', reject);
          resolve();
        });
      });
      if (failure) throw failure;
      return parsePairs(Buffer.concat(out));
    },
    close: () => void inflate.destroy(),
  };
}

function parsePairs(plain: Buffer): Headers {
  const headers: Headers = {};
  let at = 4;
  const take = () => {
    const length = plain.readUInt32BE(at);
    const text = plain.toString('latin1', at + 4, at + 4 + length);
    at += 4 + length;
    return text;
  };
  for (let left = plain.readUInt32BE(0); left > 0; left--) {
    const name = take();
    headers[name] = take();
  }
  return headers;
}
