// SPDX-License-Identifier: MIT
// The programs of examples/ that a page can run, bundled as a stranger would and run by Chromium.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect } from 'vitest';
import { answerOf, bundled, chromium, removeBundled } from './browser/chromium.ts';
import { needs } from './needs.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await bundled();
});
afterAll(() => removeBundled(scratch));

/** A page with an example, which answers what it wrote to the console and to the page, once that `matches`. */
async function shown(example: string, matches: RegExp): Promise<string> {
  const file = `examples/${example}.ts`;
  expect(readFileSync(file, 'utf8').split('\n').length - 1).toBeLessThanOrEqual(60);
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['webgpu'], // for Node alone
    write: false,
    logLevel: 'silent',
    alias: { voxelgrad: join(scratch, 'dist/voxelgrad.browser.js'), 'voxelgrad/kernels': resolve('src/kernels.ts') },
  });
  const page = `<!doctype html><meta charset="utf-8"><title>${example}</title><body></body><script type="module">
    const lines = [];
    const text = () => [...lines, document.body.innerText].join('\\n').trim();
    const log = console.log;
    console.log = (...all) => { lines.push(all.join(' ')); log(...all); };
    addEventListener('unhandledrejection', ({ reason }) => lines.push('failed: ' + reason));
    import('/example.js').catch((e) => lines.push('failed: ' + e));
    const look = () => {
      if (!${matches}.test(text()) && !/failed/.test(text())) return;
      clearInterval(timer);
      fetch('/result', { method: 'POST', body: JSON.stringify(text()) });
    };
    const timer = setInterval(look, 50);
  </script>`;
  return answerOf<string>(scratch, page, { '/example.js': outputFiles[0].text });
}

needs(chromium, 'Chromium').it('worker.ts trains beside its page', async () => {
  const text = await shown('worker', /Trained weights/);
  const losses = [...text.matchAll(/^iteration \d+: loss ([\d.]+)$/gm)].map(([, loss]) => Number(loss));
  expect(losses, text).toHaveLength(4);
  expect(losses[3]).toBeLessThan(losses[0] / 10);
});

needs(chromium, 'Chromium').it('lift_kernel.ts computes in a page what it computes in Node', async () => {
  const text = await shown('lift_kernel', /workgroups/);
  expect(Number(/^13 workgroups, 3200 results within (\S+) of plain JavaScript$/m.exec(text)?.[1]), text).toBeLessThan(2e-3);
});
