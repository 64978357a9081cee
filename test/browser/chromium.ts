// SPDX-License-Identifier: MIT
// Bundles as a release has them, and Chromium on a page that answers once.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { builtinModules } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import { expect } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
// WebGPU on SwiftShader, on machines without a GPU too.
export const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--enable-unsafe-webgpu',
  '--ignore-gpu-blocklist',
  '--use-angle=vulkan',
  '--enable-features=Vulkan',
];

export const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
if (!chromium) console.log('skipped: no chromium on the PATH (Debian: apt-get install chromium), so nothing was run in a browser');

/** Chromium's processor driver, which Node can be given too (VK_DRIVER_FILES): both then compute the same bits. */
export const swiftShader = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome']
  .map((folder) => join(folder, 'vk_swiftshader_icd.json'))
  .find((file) => chromium && existsSync(file));

/** Bundles in a folder of their own, beside the checkout's dist, which other tests may be reading. */
export async function bundled(): Promise<string> {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'voxelgrad-browser-')));
  const filter = (path: string): boolean => !path.includes('node_modules'); // what `npm run docs` installs
  for (const path of ['src', 'scripts', 'package.json']) cpSync(join(root, path), join(scratch, path), { recursive: true, filter });
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
  const { bundle } = await import('../../scripts/build/bundle.mjs');
  expect(await bundle(scratch)).toEqual(expect.arrayContaining(['dist/voxelgrad.browser.js', 'dist/sanet.browser.js']));
  return scratch;
}

export const removeBundled = (scratch: string): void => rmSync(scratch, { recursive: true });

/** No Node in a bundle, and a bundler for browsers takes it as it is. */
export async function expectNoNode(file: string): Promise<void> {
  const text = readFileSync(file, 'utf8');
  const names = [...text.matchAll(/(?:\bfrom|\bimport|\brequire\()\s*\(?["']([^"']+)["']/g)].map((m) => m[1]);
  expect(names.filter((name) => name.startsWith('node:') || builtinModules.includes(name) || name === 'webgpu')).toEqual([]);
  expect(text).not.toMatch(/\bprocess\.(?:env|versions|argv)\b|\bBuffer\.from\b/);
  const again = await build({
    entryPoints: [file],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  expect(Object.values(again.metafile.outputs).flatMap((o) => o.imports)).toEqual([]);
}

/** A file of this folder as a page runs it. */
export const script = (name: string): string =>
  transformSync(readFileSync(join(root, 'test/browser', name), 'utf8'), { loader: 'ts', target: 'es2022' }).code;

/**
 * Serves files on localhost, where a browser offers WebGPU and files of its own, until the page at `/` has sent its answer to `/result`.
 */
export async function answerOf<T>(scratch: string, page: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<T> {
  const body = async (request: IncomingMessage): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  };
  let answered!: (result: T) => void;
  const answer = new Promise<T>((resolve) => {
    answered = resolve;
  });
  const server = createServer((request, response) => {
    const file = files[request.url!];
    if (file !== undefined)
      response.setHeader('Content-Type', request.url!.endsWith('.js') ? 'text/javascript' : 'application/octet-stream').end(file);
    else if (request.url === '/result')
      void body(request).then((text) => {
        response.end();
        answered(JSON.parse(text) as T);
      });
    else if (request.url === '/') response.setHeader('Content-Type', 'text/html').end(page);
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The browser brings a driver of its own, which a driver chosen for Node through the environment would hide.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VK_')));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = spawn(chromium!, [...FLAGS, `--user-data-dir=${mkdtempSync(join(scratch, 'profile-'))}`, url], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  browser.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const gone = once(browser, 'exit');
  try {
    return await Promise.race([
      answer,
      gone.then(([code]) => {
        throw new Error(`chromium ended with code ${code}:\n${log.slice(-2000)}`);
      }),
    ]);
  } finally {
    browser.kill();
    await gone;
    server.close();
    server.closeAllConnections();
  }
}
