// SPDX-License-Identifier: MIT
// `npm run bench -- --page`: two small cases in Chromium, checked, timed, shown, and taken away as rows. Peers take part where bench/ has
// them.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { chromium } from './browser/chromium.ts';
import { needs } from './needs.ts';
import { Driver, serve } from './studio/driver.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { it } = needs(chromium, 'Chromium');

const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-bench-'));
beforeAll(async () => {
  if (!chromium) return;
  const { buildPage } = (await import(join(root, 'bench/page/build.mjs'))) as { buildPage: (folder: string) => Promise<string> };
  await buildPage(join(folder, 'page'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The page in a browser of its own; files of `instead` take the place of its own. */
async function onPage(visit: (driver: Driver, url: string) => Promise<void>, ...instead: string[]): Promise<void> {
  const { server, url } = await serve(...instead, join(folder, 'page'));
  const driver = await Driver.open();
  try {
    await visit(driver, url);
    expect(driver.requests.filter((address) => !address.startsWith(url) && !address.startsWith('blob:'))).toEqual([]);
  } finally {
    await driver.close();
    server.close();
  }
}
const text = (id: string): string => `document.getElementById(${JSON.stringify(id)}).innerText`;

/** Two cases measured, forward and backward: what the page says in the end, its table, and the lines to take away. */
async function measured(driver: Driver, url: string): Promise<{ said: string; cells: string[][]; lines: string }> {
  await driver.go(url);
  await driver.until('document.querySelector("#start:not([disabled])")');
  await driver.value(`for (const box of document.querySelectorAll('#cases input'))
        box.checked = ['case-conv1x1_256_64_40', 'case-conv3x3_128_20'].includes(box.id)`);
  await driver.click('Measure');
  await driver.until(`/^(Done|Nothing)/.test(${text('progress')})`, 240);
  const cells = await driver.value<string[][]>(
    '[...document.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((c) => c.innerText))',
  );
  expect(cells.map(([name, pass]) => `${name} ${pass}`)).toEqual(
    ['conv3x3_128_20', 'conv1x1_256_64_40'].flatMap((name) => [`${name} forward`, `${name} backward`]),
  );
  const lines = await driver.value<string>('document.querySelector("#lines pre").textContent');
  return { said: await driver.value<string>(text('progress')), cells, lines };
}
const rowsOf = (lines: string): Record<string, unknown>[] =>
  lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it('measures a visitor’s adapter in a page; its rows are rows of bench/results', async () =>
  onPage(async (driver, url) => {
    const { said, cells, lines } = await measured(driver, url);
    expect(said).toBe('Done: 4 measured.');
    const rows = rowsOf(lines);
    const ours = rows.filter(({ engine }) => engine === 'ours');
    expect(ours).toHaveLength(4);
    for (const [i, row] of ours.entries()) {
      expect(row).toMatchObject({ adapter: expect.stringMatching(/./), browser: expect.stringContaining('Chrome'), clock: 'wall' });
      expect(row.error).toBeLessThan(1e-5);
      expect(row.of_limit).toBeGreaterThan(0);
      expect(cells[i][2]).toBe((row.ms as number).toFixed(2));
    }
    expect(new Set(rows.map(({ adapter }) => adapter)).size, 'peers are on the adapter that ours is on').toBe(1);

    const file = await driver.value<string>('document.getElementById("rows").download');
    writeFileSync(join(folder, file), lines);
    const { stderr, status } = spawnSync(process.execPath, [join(root, 'bench/plot.mjs')], {
      encoding: 'utf8',
      env: { ...process.env, BENCH_RESULTS: folder },
    });
    expect(status, stderr).toBe(0);
    const page = readFileSync(join(folder, 'README.md'), 'utf8');
    expect(page).toMatch(/^\S.*, in a page, Chrome \d+, \d+ cores; newest row /m);
    for (const { case: name, pass } of ours) expect(page).toContain(`| ${name as string} | ${pass as string} | `);
    expect(page).not.toContain('undefined');
  }));

it('says why nothing can be measured, on a phone too, and shows no empty table', async () =>
  onPage(async (driver, url) => {
    await driver.size(390, 844, true);
    for (const [replaced, said] of [
      ['delete Navigator.prototype.gpu', 'This browser has no WebGPU.'],
      ['navigator.gpu.requestAdapter = async () => null', 'WebGPU found no adapter.'],
      ['navigator.gpu.requestAdapter = async () => { throw new Error("no") }', 'WebGPU found no adapter.'],
      ['navigator.gpu.requestAdapter = async () => ({ features: new Set() })', 'The adapter has no subgroups'],
    ]) {
      const { identifier } = await driver.send('Page.addScriptToEvaluateOnNewDocument', { source: replaced });
      await driver.go(url);
      await driver.until(`${text('adapter')}.startsWith(${JSON.stringify(said)})`, 60);
      expect(await driver.value('document.getElementById("start").disabled')).toBe(true);
      expect(await driver.value('[...document.querySelectorAll("[hidden]")].filter((e) => e.checkVisibility()).length')).toBe(0);
      expect(await driver.value('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      await driver.send('Page.removeScriptToEvaluateOnNewDocument', { identifier });
    }
  }));

/** The page's worker where a trouble comes to our engine: `case` and `pass` are what it is at, `device` what it has. */
function troubled(name: string, trouble: string, more = ''): string {
  const instead = join(folder, name);
  mkdirSync(instead);
  const before = `if (self.location.search === '?engine=ours') {
    let device, at, pass;
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (wanted) { return (device = await requestDevice.call(this, wanted)); };
    self.addEventListener('message', ({ data }) => {
      if (data.type === 'prepare') [at, pass] = [data.case, data.pass];
      const during = (c, p, type) => data.type === type && at === c && pass === p;
      ${trouble}
    });
  }
  ${more}\n`;
  writeFileSync(join(instead, 'worker.js'), before + readFileSync(join(folder, 'page/worker.js'), 'utf8'));
  return instead;
}

it('a case that fails and a device that is lost are said in their rows; what was measured stays, and the rest is measured', async () => {
  const instead = troubled(
    'once',
    `if (during('conv3x3_128_20', 'backward', 'sample')) device.destroy();
     if (during('conv1x1_256_64_40', 'forward', 'prepare')) device.createBuffer = () => { throw new RangeError('no room for a buffer'); };`,
  );
  await onPage(async (driver, url) => {
    const { said, cells, lines } = await measured(driver, url);
    expect(said).toBe('Done: 2 measured; of 2 the table says why not.');
    expect(cells.map(([, , ours]) => ours)).toEqual([
      expect.stringMatching(/^\d+\.\d\d$/),
      expect.stringContaining('the GPU device was lost'),
      expect.stringContaining('no room for a buffer'),
      expect.stringMatching(/^\d+\.\d\d$/),
    ]);
    const ours = rowsOf(lines).filter(({ engine }) => engine === 'ours');
    expect(ours.map((row) => [row.case, row.pass].join(' '))).toEqual(['conv3x3_128_20 forward', 'conv1x1_256_64_40 backward']);
  }, instead);
});

it('an adapter that is gone for good is said in every row after, and nothing that was measured is lost', async () => {
  const instead = troubled(
    'gone',
    `if (during('conv3x3_128_20', 'backward', 'sample')) device.destroy();`,
    `if (self.location.search.endsWith('&gone')) navigator.gpu.requestAdapter = async () => null;`,
  );
  // A worker remembers nothing of the one before it: the page tells every later one of ours.
  const adapterless = `
    const { Worker: Own } = window;
    let ours = 0;
    window.Worker = function (url, options) { return new Own(url.endsWith('=ours') && ours++ > 0 ? url + '&gone' : url, options); };`;
  await onPage(async (driver, url) => {
    await driver.send('Page.addScriptToEvaluateOnNewDocument', { source: adapterless });
    const { said, cells, lines } = await measured(driver, url);
    expect(said).toBe('Done: 1 measured; of 3 the table says why not.');
    expect(cells.map(([, , ours]) => ours)).toEqual([
      expect.stringMatching(/^\d+\.\d\d$/),
      expect.stringContaining('the GPU device was lost'),
      expect.stringContaining('no WebGPU adapter answers'),
      expect.stringContaining('no WebGPU adapter answers'),
    ]);
    expect(rowsOf(lines).filter(({ engine }) => engine === 'ours')).toHaveLength(1);
  }, instead);
});
