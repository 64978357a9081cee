// SPDX-License-Identifier: MIT
// Every program of examples/ is run as a stranger would run it, with the package under its public names.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { scratch } from './data/helpers.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const temporary = scratch();
const out = join(root, 'node_modules/.cache/examples'); // below node_modules, so that packages are found

/** What an example must have printed. */
const PRINTS: Readonly<Record<string, (text: string) => void>> = {
  'own_method.ts': (text) => {
    const [, dice] = /^Dice ([\d.]+) % on 2 unseen phantoms; \d{4,} bytes of report/m.exec(text)!;
    expect(Number(dice)).toBeGreaterThan(50);
  },
  'classifier.ts': (text) => expect(Number(/^([\d.]+) % of 128 new images right$/m.exec(text)![1])).toBeGreaterThan(85),
  'unet.ts': (text) => {
    const dice = [...text.matchAll(/Dice ([\d.]+)/g)].map(([, value]) => Number(value));
    expect(dice).toHaveLength(5);
    expect(dice[4]).toBeGreaterThan(0.75);
  },
  'character_model.ts': (text) => {
    const losses = [...text.matchAll(/loss ([\d.]+)/g)].map(([, value]) => Number(value));
    expect(losses[3]).toBeLessThan(0.3);
    expect(text).toMatch(/^one for sorrow, two for joy, three.{80,}$/m);
  },
  'custom_op.ts': (text) => {
    const [, value, gradient] = /^value within (\S+), gradient within (\S+)$/m.exec(text)!;
    expect(Number(value)).toBeLessThan(1e-5);
    expect(Number(gradient)).toBeLessThan(1e-5);
  },
  'lift_kernel.ts': (text) =>
    // sums of 6,400 products
    expect(Number(/^13 workgroups, 3200 results within (\S+) of plain JavaScript$/m.exec(text)![1])).toBeLessThan(2e-3),
  'pytorch_weights.ts': (text) => {
    const logits = /^logits (.*)$/m.exec(text)![1].split(' ').map(Number);
    // printed by examples/data/digits.py
    [0.1244564950466156, -0.5166735649108887, -0.1417224258184433].forEach((expected, i) => expect(logits[i]).toBeCloseTo(expected, 5));
    expect(text).toMatch(
      /^239 parameters in .*: conv\.weight, bn\.weight, bn\.bias, bn\.running_mean, bn\.running_var, head\.weight, head\.bias$/m,
    );
  },
};

/** Run in Chromium by examples_page.test.ts, and in Node not at all. */
const IN_A_PAGE = ['worker.ts'];

describe('examples', () => {
  it('are all looked at', () =>
    expect(
      readdirSync(join(root, 'examples'))
        .filter((f) => f.endsWith('.ts'))
        .sort(),
    ).toEqual([...Object.keys(PRINTS), ...IN_A_PAGE].sort()));

  it.each(Object.keys(PRINTS))('%s', async (file) => {
    expect(readFileSync(join(root, 'examples', file), 'utf8').split('\n').length - 1).toBeLessThanOrEqual(60);
    mkdirSync(out, { recursive: true });
    const outfile = join(out, `${basename(file, '.ts')}.mjs`);
    await build({
      entryPoints: [join(root, 'examples', file)],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'es2022',
      packages: 'external',
      logLevel: 'silent',
      alias: {
        voxelgrad: join(root, 'src/index.ts'),
        'voxelgrad/kernels': join(root, 'src/kernels.ts'),
        'voxelgrad/sanet': join(root, 'src/sanet.ts'),
      },
    });
    const { stdout, stderr, status } = spawnSync(process.execPath, [outfile], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: temporary },
    });
    expect(stderr.replace(/^Warning: max.*$/gm, '').trim()).toBe('');
    expect(status).toBe(0);
    PRINTS[file](stdout);
    console.log(stdout.trim());
  });
});
