// SPDX-License-Identifier: MIT
// What a person does on the studio's page, step by step, for tests that go the whole way.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSafetensors } from '../../src/files/safetensors.ts';
import { ZipFile } from '../../src/files/zip.ts';
import { serveStudio } from '../../src/cli/studio_server.ts';
import { bundled, removeBundled } from '../browser/chromium.ts';
import { Driver } from './driver.ts';

/** The smallest training that still is one: two bare 2D networks. */
export const smallPlan = (iterations: number, classes = ['background', 'foreground']): object => ({
  preset: 'demo',
  name: 'studio',
  classes,
  data: { roi: [8, 32, 32], jitter: [1, 2, 2], sampling: 'foreground' },
  split: { folds: 1, fold: 0, selectionShare: 0 },
  method: {
    name: 'sanet',
    sam: { enabled: false },
    cross: { enabled: false, slices: [4, 4] },
    network2d: { stem: 4, useMSA: false, useBGC: false, useRM: false },
  },
  training: { iterations, selections: 1, checkpointEvery: 2 },
});

/** The studio as it is built, served by the tool, and a browser beside it; `scratch` is what it was built in. */
export async function openStudio() {
  const scratch = await bundled();
  const served = await serveStudio({ page: join(scratch, 'dist/studio'), port: 0 });
  const page = await Driver.open();
  await page.size(1366, 768);
  const close = async (): Promise<void> => {
    await page.close();
    await served[Symbol.asyncDispose]();
    removeBundled(scratch);
  };
  return { scratch, served, page, close };
}
export type Studio = Awaited<ReturnType<typeof openStudio>>;

export const says = (page: Driver, what: string, seconds = 600): Promise<void> =>
  page.until(`document.body.innerText.includes(${JSON.stringify(what)})`, seconds);

/** Iterations are done, as the page counts them. */
export const trained = (page: Driver, iterations: number, seconds = 600): Promise<void> =>
  page.until(`parseInt(document.querySelector('.big')?.textContent) >= ${iterations}`, seconds);

export const scanIsOpen = (page: Driver): Promise<void> =>
  page.until(`document.querySelector('canvas[data-plane=transverse]') && !document.querySelector('.busy')`, 120);

/** The phantom, three slices of it drawn by keys alone. */
export async function draw(page: Driver, url: string): Promise<void> {
  await page.size(1366, 768);
  await page.go(url);
  await page.click('Try the sample phantom');
  await says(page, '0 of 24 transverse');
  await page.key('b');
  for (let k = 0; k < 3; k++) {
    await page.key(' ');
    await says(page, `${k + 1} of 24 transverse`);
    await page.key('PageUp');
  }
  await says(page, 'Saved here');
}

/** Trains what is drawn by a plan file. */
export async function train(page: Driver, plan: string): Promise<void> {
  await page.click('Train', '.stage');
  await page.click('A plan of your own', 'summary');
  await page.choose('[aria-label="Plan file"]', plan);
  await says(page, 'Plan: ');
  await page.click('Train', '.panel button');
}

/** A file taken away by its button: where it lies. `scratch` gets a folder for it. */
export async function take(page: Driver, button: string, scratch: string): Promise<string> {
  const folder = mkdtempSync(join(scratch, 'taken-'));
  await page.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
  await page.click('Take away', '.stage');
  const seen = await page.value<number>(`document.querySelectorAll('.callout b').length`);
  await page.click(button);
  await page.until(`document.querySelectorAll('.callout b').length > ${seen} && !document.querySelector('.busy')`, 1200);
  const file = join(folder, await page.value<string>(`document.querySelector('.callout b').textContent`));
  for (let tries = 0; !existsSync(file); tries++) {
    if (tries > 600) throw new Error(`never there: ${file}`);
    await new Promise((later) => setTimeout(later, 100));
  }
  return file;
}

/** Values of a file of weights by name, to be compared bit by bit. */
export const weights = (file: string): Map<string, string> =>
  new Map(
    [...parseSafetensors(readFileSync(file), file).tensors].map(([name, { data }]) => [
      name,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ]),
  );

export function unpack(file: string, folder: string): void {
  const zip = new ZipFile(readFileSync(file), file);
  for (const name of zip.names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), zip.read(name));
  }
}
