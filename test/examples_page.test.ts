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
  const text = readFileSync(file, 'utf8');
  expect(text.split('\n').length - 1).toBeLessThanOrEqual(60);
  return answered(text, matches);
}

/** The same for the text of a program. */
async function answered(contents: string, matches: RegExp): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, loader: 'ts', resolveDir: resolve('examples') },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['webgpu'], // for Node alone
    write: false,
    logLevel: 'silent',
    alias: { voxelgrad: join(scratch, 'dist/voxelgrad.browser.js'), 'voxelgrad/kernels': resolve('src/kernels.ts') },
  });
  const page = `<!doctype html><meta charset="utf-8"><title>a program</title><body></body><script type="module">
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

needs(chromium, 'Chromium').it('lift and plan encode into the pass of a page, and debug tells each dispatch there', async () => {
  const text = await answered(
    `import { attention, lift, openDevice, plan, spec, tensor } from 'voxelgrad';
    import * as kernels from 'voxelgrad/kernels';
    const device = await openDevice({ debug: ['calls'] });
    const { gpu } = device;
    const shapes = [[1, 9, 8], [1, 5, 8], [1, 5, 8]];
    const values = shapes.map(([, t, c], s) => Float32Array.from({ length: t * c }, (_, i) => Math.sin(i + s)));
    const buffer = (bytes, data) => {
      const made = gpu.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
      if (data) gpu.queue.writeBuffer(made, 0, data);
      return made;
    };
    const read = async (from) => {
      const to = gpu.createBuffer({ size: from.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const encoder = gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(from, 0, to, 0, from.size);
      gpu.queue.submit([encoder.finish()]);
      await to.mapAsync(GPUMapMode.READ);
      return new Float32Array(to.getMappedRange().slice(0));
    };
    const call = (q, k, v) => attention(q, k, v, { heads: 2 });
    const want = await call(...values.map((v, i) => tensor(v, { shape: shapes[i] }))).data();
    const inputs = values.map((v) => buffer(v.byteLength, v));
    const lifted = await lift(call, shapes.map((s) => spec(s)));
    const y = buffer(4 * 72);
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    lifted.encode(pass, inputs, [y]);
    pass.end();
    gpu.queue.submit([encoder.finish()]);
    console.log('lifted', (await read(y)).every((v, i) => v === want[i]));
    const { calls } = plan(call, shapes.map((s) => spec(s)));
    console.log('planned', calls.map((c) => c.kernel).join(' '), calls.every((c) => c.kernel in kernels));
    device.close();
    document.body.append('end');`,
    /end$/,
  );
  expect(text).toMatch(/^lifted true$/m);
  expect(text).toMatch(/^planned attention_norms attention_narrow true$/m);
  expect(text).toMatch(/^voxelgrad: attention\S* .*attention_narrow.* KiB/m);
});
