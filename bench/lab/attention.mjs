// SPDX-License-Identifier: MIT
// Attention at the shapes of SA-Net: forward, forward and all gradients, first call (compile included), time per kernel.
//   MESA_SHADER_CACHE_DISABLE=true node bench/lab/attention.mjs [CASE ...]
// Milliseconds are processor time / 2 (two cores), so that other work on the machine disturbs less than with wall time.
import { build } from 'esbuild';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const outfile = join(root, 'node_modules/.cache/voxelgrad/lab_attention.mjs');
await build({
  stdin: {
    resolveDir: join(root, 'src'),
    contents: `export { openDevice } from './gpu/device.ts';
export { compile } from './engine/program.ts';
export { backward } from './engine/autograd.ts';
export { tensor } from './engine/tensor.ts';
export { attention } from './ops/attention.ts';
export { sum } from './ops/reduce.ts';
export { mul } from './ops/pointwise.ts';`,
  },
  bundle: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
  outfile,
});
const { openDevice, compile, backward, tensor, attention, sum, mul } = await import(outfile);

const CASES = {
  sam: { shape: [1, 6, 512, 64] },
  sam_positions: { shape: [1, 6, 512, 64], grid: [8, 8, 8] },
  cca: { shape: [8, 4, 16, 88, 16], bias: true, cosine: true },
  csa: { shape: [8, 4, 16, 116, 16], bias: true, cosine: true },
  baa: { shape: [2, 4, 1600, 16], keys: true, cosine: true },
};
const REPS = 5;
const device = await openDevice();
console.log(device.info.driver);
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 2000;
};
const random = (shape, seed) => {
  let x = seed * 7919;
  return tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      return x / 2 ** 31 - 1;
    }),
    { shape },
  );
};
const timed = async (program) => {
  const times = [];
  for (let i = 0; i < REPS; i++) {
    const t = cpu();
    program.run();
    await device.sync();
    times.push(cpu() - t);
  }
  return times.sort((a, b) => a - b)[REPS >> 1];
};

for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(CASES)) {
  const { shape, bias, keys, cosine, grid } = CASES[name];
  const [batch, heads, tokens, d] = [shape[0], shape[1], shape.at(-2), shape.at(-1)];
  const [q, k, v, w] = [1, 2, 3, 4].map((seed) => random(shape, seed));
  const options = {
    cosine,
    ...(bias && { bias: random([heads, tokens, tokens], 5) }),
    ...(keys && { keyBias: random([batch, tokens], 6), tau: random([heads], 7) }),
    ...(grid && { positions: { grid, tables: random([grid.reduce((s, n) => s + 2 * n - 1, 0), d], 8) } }),
  };
  const wanted = [q, k, v, options.bias, options.keyBias, options.tau, options.positions?.tables].filter(Boolean);
  const start = cpu();
  const forward = await compile(() => ({ y: attention(q, k, v, options) }), {});
  forward.run();
  await device.sync();
  const middle = cpu();
  const both = await compile(() => {
    const grads = backward(sum(mul(attention(q, k, v, options), w)), wanted);
    return Object.fromEntries(wanted.map((t, i) => [i, grads.get(t)]));
  }, {});
  both.run();
  await device.sync();
  const end = cpu();
  const [f, fb] = [await timed(forward), await timed(both)];
  const flops = 4e-6 * q.size * tokens;
  console.log(
    `${name}: forward ${f.toFixed(1)} ms ${(flops / f).toFixed(1)} GFLOP/s, first ${(middle - start).toFixed(0)} ms | with ` +
      `gradients ${fb.toFixed(1)} ms ${((3.5 * flops) / fb).toFixed(1)} GFLOP/s, first ${(end - middle).toFixed(0)} ms`,
  );
  const kernels = new Map();
  for (const { label, ms } of await both.profile()) {
    const entry = label.split(' ').at(-1);
    kernels.set(entry, (kernels.get(entry) ?? 0) + ms);
  }
  console.log(`  ${[...kernels].map(([entry, ms]) => `${entry} ${ms.toFixed(1)}`).join(', ')}`);
}
device.close();
