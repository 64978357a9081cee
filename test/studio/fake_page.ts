// SPDX-License-Identifier: MIT
// The studio's page with a worker that only pretends, served, and a browser beside it.
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Driver, serve } from './driver.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function openFake() {
  const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-page-'));
  await build({
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    entryPoints: { page: 'src/studio/page/main.tsx', worker: 'test/studio/fake_worker.ts' },
    outdir: folder,
  });
  cpSync(join(root, 'src/studio/static'), folder, { recursive: true });
  writeFileSync(join(folder, 'sw.js'), '');
  symlinkSync(folder, join(folder, 'large'));
  const { server, url } = await serve(folder);
  const page = await Driver.open();
  await page.size(1366, 768);
  const close = async (): Promise<void> => {
    await page.close();
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  };
  return { url, page, close };
}
export type Fake = Awaited<ReturnType<typeof openFake>>;
