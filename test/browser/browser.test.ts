// SPDX-License-Identifier: MIT
// dist/voxelgrad.browser.js: no Node in it, and the training step that Node runs, run by Chromium.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { builtinModules } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as vg from '../../src/index.ts';
import { train, type Result } from './step.ts';
import { needs } from '../needs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// WebGPU on SwiftShader, on machines without a GPU too.
const FLAGS = ['--headless', '--no-sandbox', '--disable-dev-shm-usage', '--no-first-run', '--enable-unsafe-webgpu', '--ignore-gpu-blocklist',
  '--use-angle=vulkan', '--enable-features=Vulkan'];
const PAGE = `<!doctype html><meta charset="utf-8"><title>voxelgrad</title><script type="module">
  const send = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
  try {
    const [vg, { train }] = await Promise.all([import('/voxelgrad.browser.js'), import('/step.js')]);
    await send(await train(vg));
  } catch (e) { await send({ error: String(e?.stack ?? e) }); }
</script>`;

let scratch: string;
let file: string;
beforeAll(async () => {
  // Beside the checkout's own dist, which other tests may be reading.
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'voxelgrad-browser-')));
  for (const path of ['src', 'scripts', 'package.json']) cpSync(join(root, path), join(scratch, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'));
  const { bundle } = await import('../../scripts/build/bundle.mjs');
  expect(await bundle(scratch)).toContain('dist/voxelgrad.browser.js');
  file = join(scratch, 'dist/voxelgrad.browser.js');
});
afterAll(() => rmSync(scratch, { recursive: true }));

/** Serves the page on localhost, where a browser offers WebGPU, until the page has answered. */
async function inChromium(chromium: string): Promise<Result> {
  const body = async (request: IncomingMessage): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString('utf8');
  };
  let answered!: (result: Result) => void;
  const answer = new Promise<Result>((resolve) => { answered = resolve; });
  const scripts: Record<string, string> = {
    '/voxelgrad.browser.js': readFileSync(file, 'utf8'),
    '/step.js': transformSync(readFileSync(join(root, 'test/browser/step.ts'), 'utf8'), { loader: 'ts', target: 'es2022' }).code,
  };
  const server = createServer((request, response) => {
    const script = scripts[request.url!];
    if (script) response.setHeader('Content-Type', 'text/javascript').end(script);
    else if (request.url === '/result') void body(request).then((text) => { response.end(); answered(JSON.parse(text) as Result); });
    else if (request.url === '/') response.setHeader('Content-Type', 'text/html').end(PAGE);
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // The browser brings a driver of its own, which a driver chosen for Node through the environment would hide.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VK_')));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const browser = spawn(chromium, [...FLAGS, `--user-data-dir=${join(scratch, 'profile')}`, url], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  browser.stderr.setEncoding('utf8').on('data', (text: string) => { log += text; });
  const gone = once(browser, 'exit');
  try {
    return await Promise.race([answer, gone.then(([code]) => { throw new Error(`chromium ended with code ${code}:\n${log.slice(-2000)}`); })]);
  } finally {
    browser.kill();
    await gone;
    server.close();
    server.closeAllConnections();
  }
}

describe('dist/voxelgrad.browser.js', () => {
  it('contains no Node import, and bundles for a browser as it is', async () => {
    const text = readFileSync(file, 'utf8');
    const names = [...text.matchAll(/(?:\bfrom|\bimport|\brequire\()\s*\(?["']([^"']+)["']/g)].map((m) => m[1]!);
    expect(names.filter((name) => name.startsWith('node:') || builtinModules.includes(name) || name === 'webgpu')).toEqual([]);
    expect(text).not.toMatch(/\bprocess\.(?:env|versions|argv)\b|\bBuffer\.from\b/);
    const again = await build({ entryPoints: [file], bundle: true, platform: 'browser', format: 'esm', write: false, metafile: true, logLevel: 'silent' });
    expect(Object.values(again.metafile.outputs).flatMap((o) => o.imports)).toEqual([]);
  });

  const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (!chromium) console.log('skipped: no chromium on the PATH (Debian: apt-get install chromium), so the step in a browser was not run');
  needs(chromium, 'Chromium').it('trains in Chromium as it does in Node', async () => {
    const there = await inChromium(chromium!);
    expect(there.error).toBeUndefined();
    const here: Result = await train(vg);
    console.log(`browser: ${there.adapter}, losses ${there.losses.map((l) => l.toFixed(6)).join(' ')}; Node: ${here.adapter}, losses ${here.losses.map((l) => l.toFixed(6)).join(' ')}`);
    there.losses.forEach((loss, i) => expect(loss).toBeCloseTo(here.losses[i]!, 4));
    expect(here.losses[2]).toBeLessThan(here.losses[0]!);
    const difference = Math.max(...there.weights.map((w, i) => Math.abs(w - here.weights[i]!)));
    expect(difference).toBeLessThan(2e-3); // Adam's first steps turn a gradient's last digits into fractions of the learning rate
  });
});
