// SPDX-License-Identifier: MIT
// The studio's page on this machine: its own files and, to be read only, those of one folder. Nobody else reaches it: it listens on the
// loopback address alone, and answers no page of another origin, whatever name that has given to this address.
import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, sep } from 'node:path';
import { DataError, UsageError } from '../errors.ts';
import { unreadable } from '../files/regular.ts';

const HERE = '127.0.0.1';
/**
 * Ports that are tried one after another, if none is asked for. Sessions belong to address and port: the first free one is mostly the same.
 */
const FIRST_PORT = 4713,
  TRIED = 20;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};

const POLICY = "default-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** A worker draws nothing and shows nothing of a file; its decoders of compressed DICOM are WebAssembly whose glue is made from text. */
const WORKER_POLICY = `${POLICY}; script-src 'self' 'unsafe-eval'`;

/** Nothing is loaded from elsewhere, nothing goes out. The page says the same of itself for hosts that send no headers. */
const HEADERS = {
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
};

/** Regular files below a folder by their ways, with `/`; hidden ones and what links lead out to are left out. */
async function filesBelow(folder: string): Promise<Map<string, { file: string; bytes: number }>> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw unreadable(folder, cause);
  });
  if (!(await stat(root)).isDirectory())
    throw new DataError(`${folder}: a file, expected a folder.`, 'Name the folder that holds the scans.');
  const found = new Map<string, { file: string; bytes: number }>();
  const walk = async (at: string, way: string): Promise<void> => {
    for (const { name } of await readdir(at, { withFileTypes: true })) {
      if (name.startsWith('.')) continue;
      const file = await realpath(join(at, name)).catch(() => undefined);
      if (file === undefined || !file.startsWith(root + sep)) continue;
      const facts = await stat(file);
      if (facts.isFile()) found.set(way + name, { file, bytes: facts.size });
      else if (facts.isDirectory() && file === join(at, name)) await walk(file, `${way}${name}/`); // no link: it could lead round and round
    }
  };
  await walk(root, '');
  return found;
}

export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Files of the folder that the page may read. */
  readonly offered: number;
}

/** Serves `page` (dist/studio) and the files of `folder`. `port` 0 is any free one. @throws UsageError for a port that is taken */
export async function serveStudio({ page, folder, port }: { page: string; folder?: string; port?: number }): Promise<Served> {
  const own = await filesBelow(page),
    offered = folder === undefined ? undefined : await filesBelow(folder);
  let hosts = new Set<string>();

  const send = (request: IncomingMessage, response: ServerResponse, { file, bytes }: { file: string; bytes: number }): void => {
    const policy = request.headers['sec-fetch-dest'] === 'worker' && { 'Content-Security-Policy': WORKER_POLICY };
    response.writeHead(200, {
      ...HEADERS,
      ...policy,
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Length': bytes,
    });
    if (request.method === 'HEAD') response.end();
    else
      createReadStream(file)
        .on('error', () => response.destroy())
        .pipe(response);
  };
  const refuse = (response: ServerResponse, status: number): void => {
    response.writeHead(status, { ...HEADERS, 'Content-Type': 'text/plain' }).end();
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { method, url = '/', headers } = request;
    if (!hosts.has(headers.host ?? '')) return refuse(response, 403); // a name of somebody's that was pointed at this address
    if (headers['sec-fetch-site'] === 'cross-site') return refuse(response, 403);
    if (method !== 'GET' && method !== 'HEAD') return refuse(response, 405);
    let way: string;
    try {
      way = decodeURIComponent(new URL(url, 'http://here').pathname).slice(1);
    } catch {
      return refuse(response, 400);
    }
    if (way === 'folder.json' && offered) {
      const text = JSON.stringify([...offered].map(([path, { bytes }]) => ({ path, bytes })));
      response.writeHead(200, { ...HEADERS, 'Content-Type': 'application/json' }).end(method === 'HEAD' ? undefined : text);
      return undefined;
    }
    const found = way.startsWith('folder/') ? offered?.get(way.slice('folder/'.length)) : own.get(way === '' ? 'index.html' : way);
    return found ? send(request, response, found) : refuse(response, 404);
  };

  const server = createServer(answer);
  const listen = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, HERE, () => {
        server.off('error', reject);
        resolve();
      });
    });
  const candidates = port === undefined ? Array.from({ length: TRIED }, (_, i) => FIRST_PORT + i) : [port];
  for (const [i, each] of candidates.entries()) {
    try {
      await listen(each);
      break;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE' && (cause as NodeJS.ErrnoException).code !== 'EACCES') throw cause;
      if (i === candidates.length - 1)
        throw new UsageError(
          `--port: ${each} is taken, expected a free one.`,
          port === undefined ? 'Name one with --port.' : 'Name another, or leave it out.',
        );
    }
  }
  const at = (server.address() as AddressInfo).port;
  hosts = new Set([`${HERE}:${at}`, `localhost:${at}`]);
  return {
    url: `http://${HERE}:${at}/`,
    port: at,
    offered: offered?.size ?? 0,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const isFirstPort = (port: number): boolean => port === FIRST_PORT;
