// SPDX-License-Identifier: MIT
// The studio's page in Chromium, with a worker that only pretends: every part of it by pointer and keys.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Server } from 'node:http';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromium } from '../browser/chromium.ts';
import { needs } from '../needs.ts';
import { Driver, serve } from './driver.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SHOTS = process.env.STUDIO_SHOTS;

needs(chromium, 'Chromium').describe('the page', () => {
  let folder: string, server: Server, url: string, page: Driver;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'voxelgrad-page-'));
    const common = { absWorkingDir: root, bundle: true, format: 'esm', platform: 'browser', target: 'es2022', jsx: 'automatic', jsxImportSource: 'preact' } as const; // prettier-ignore
    await build({ ...common, entryPoints: { page: 'src/studio/page/main.tsx', worker: 'test/studio/fake_worker.ts' }, outdir: folder });
    ({ server, url } = await serve(folder, join(root, 'src/studio/static')));
    page = await Driver.open();
  });
  afterAll(async () => {
    await page?.close();
    server?.close();
    server?.closeAllConnections();
    rmSync(folder, { recursive: true });
  });
  const shot = async (name: string): Promise<void> => {
    if (!SHOTS) return;
    mkdirSync(SHOTS, { recursive: true });
    writeFileSync(join(SHOTS, `${name}.png`), await page.screenshot());
  };

  it('opens the phantom', async () => {
    await page.size(1366, 768);
    await page.go(url);
    await page.until(`document.body.innerText.includes('Choose files')`);
    await shot('open');
    await page.click('Try the sample phantom');
    await page.until(`document.querySelector('canvas[data-plane=transverse]')`);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await shot('look');
    await page.size(1920, 1080);
    await new Promise((resolve) => setTimeout(resolve, 800));
    await shot('look-1920');
    await page.size(390, 844, true);
    await new Promise((resolve) => setTimeout(resolve, 800));
    await shot('look-phone');
    expect(page.complaints).toEqual([]);
  });
});
