// SPDX-License-Identifier: MIT
// The service worker: the page's files are kept at the first visit and come from here from then on, offline too. A new build is another
// worker, which takes over when all tabs of the old one are closed, so that no page meets pieces of two builds. Files that the studio's
// server offers of a folder are never kept.

/** Set by the build: every file of the page, and a digest of them all. */
declare const FILES: readonly string[];
declare const VERSION: string;

interface Extendable extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const KEPT = `voxelgrad-studio-${VERSION}`;
const scope = self as unknown as {
  addEventListener(kind: string, hear: (event: never) => void): void;
  clients: { claim(): Promise<void> };
};
/** What the studio's server says, for static hosts that say nothing: nothing is loaded from elsewhere, nothing goes out. */
const POLICY = "default-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'";
/** A worker's, whose decoders of compressed DICOM are WebAssembly with glue that is made from text; it draws nothing. */
const WORKER_POLICY = `${POLICY}; script-src 'self' 'unsafe-eval'`;
const home = new URL('./', location.href);
const here = new Map(FILES.map((file) => [new URL(file, home).pathname, file]));

scope.addEventListener('install', (event: Extendable) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: 'reload' })))));
});

scope.addEventListener('activate', (event: Extendable) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith('voxelgrad-studio-') && name !== KEPT) await caches.delete(name);
      await scope.clients.claim();
    })(),
  );
});

async function kept(file: string, request: Request): Promise<Response> {
  const found = await (await caches.open(KEPT)).match(file);
  if (!found) return fetch(request);
  const headers = new Headers(found.headers);
  // What the server said of it was said to this worker, which asked for a file and no page.
  headers.set('content-security-policy', request.destination === 'worker' ? WORKER_POLICY : POLICY);
  return new Response(found.body, { status: found.status, headers });
}

scope.addEventListener('fetch', (event: Fetching) => {
  const { request } = event,
    url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== home.origin) return;
  const file = url.pathname === home.pathname ? 'index.html' : here.get(url.pathname);
  if (file !== undefined) event.respondWith(kept(file, request));
});
