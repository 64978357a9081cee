// SPDX-License-Identifier: MIT
// `npm run bench -- --page`: two small cases in Chromium, checked, timed, shown, and taken away as rows. Peers take part where bench/ has
// them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { chromium } from './browser/chromium.ts';
import { needs } from './needs.ts';
import { Driver, serve } from './studio/driver.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { it } = needs(chromium, 'Chromium');

it('measures a visitor’s adapter in a page', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-bench-'));
  const { buildPage } = (await import(join(root, 'bench/page/build.mjs'))) as { buildPage: (folder: string) => Promise<string> };
  await buildPage(folder);
  const { server, url } = await serve(folder);
  const driver = await Driver.open();
  try {
    await driver.go(url);
    await driver.until('document.querySelector("#start:not([disabled])")');
    await driver.value(`for (const box of document.querySelectorAll('#cases input'))
        box.checked = ['case-conv1x1_256_64_40', 'case-conv3x3_128_20'].includes(box.id)`);
    await driver.click('Measure');
    await driver.until('/^(Done|Nothing)/.test(document.getElementById("progress").innerText)', 240);
    expect(await driver.value('document.getElementById("progress").innerText')).toBe('Done: 4 measured.');
    const cells = await driver.value<string[][]>(
      '[...document.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((c) => c.innerText))',
    );
    expect(cells.map(([name, pass]) => `${name} ${pass}`)).toEqual(
      ['conv3x3_128_20', 'conv1x1_256_64_40'].flatMap((name) => [`${name} forward`, `${name} backward`]),
    );
    const text = await driver.value<string>('document.querySelector("#lines pre").textContent');
    const rows = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const ours = rows.filter(({ engine }) => engine === 'ours');
    expect(ours).toHaveLength(4);
    for (const [i, row] of ours.entries()) {
      expect(row).toMatchObject({ adapter: expect.any(String), browser: expect.stringContaining('Chrome'), clock: 'wall' });
      expect(row.error).toBeLessThan(1e-5);
      expect(row.of_limit).toBeGreaterThan(0);
      expect(cells[i][2]).toBe((row.ms as number).toFixed(2));
    }
    expect(driver.requests.filter((address) => !address.startsWith(url) && !address.startsWith('blob:'))).toEqual([]);
  } finally {
    await driver.close();
    server.close();
    rmSync(folder, { recursive: true });
  }
});
