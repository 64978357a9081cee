// SPDX-License-Identifier: MIT
// Loops that Tint cannot prove finite get a 64-bit counter from it, which is a good part of a short body's time (CONTRIBUTING.md).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const KERNELS = join(import.meta.dirname, '../../kernels');
const CONSTANT = /^for \(var (\w+) = 0u?; \1 < [-+*/ A-Z0-9_u]+; \1\+\+\)$/;
const COUNTDOWN = /^for \(var (\w+) = [^;]+; \1 > 0u?; \1--\)$/;

/** Loops that may go on as they are, and why. */
const EXEMPT: Record<string, string> = {
  'conv.wgsl for (var n = n0; n < min(params.go, n0 + TN * WG); n += WG)': 'activations other than ReLU, once a tile',
  'conv_dweight.wgsl for (var i = 0u; i < inner; i += 8u)': 'counted down it is 10 % slower on Mesa 26 (bench/lab)',
  'depthwise.wgsl while (k0 < step && (phase + pad - k0 * dil) % up != 0)': 'at most a stride of passes',
  'lib/conv.wgsl while (k0 < step && (phase + pad - k0 * dil) % up != 0)': 'at most a stride of passes',
  'sample_voxel.wgsl while (left >= counted[row * params.runs + r])': 'one lane a volume',
  'sample_voxel.wgsl loop': 'one lane a volume',
};

/** Index behind the bracket that closes the one at `open`. */
function closing(text: string, open: number): number {
  const [left, right] = text[open] === '(' ? '()' : '{}';
  let depth = 0;
  for (let i = open; ; i++) {
    if (text[i] === left) depth++;
    if (text[i] === right && --depth === 0) return i + 1;
  }
}

/** Heads of the loops whose bodies hold no other loop over a run-time range. */
function innermost(text: string): string[] {
  const heads: string[] = [];
  for (const { 0: word, index } of text.matchAll(/\b(?:(?:for|while) \(|loop \{)/g)) {
    const head = word.startsWith('loop') ? 'loop' : text.slice(index, closing(text, index + word.length - 1));
    const open = text.indexOf('{', index + head.length);
    const inside = innermost(text.slice(open + 1, closing(text, open)));
    if (inside.every((h) => CONSTANT.test(h))) heads.push(head);
  }
  return heads;
}

it('innermost loops over run-time ranges count down to 0', () => {
  const files = readdirSync(KERNELS, { recursive: true })
    .map(String)
    .filter((f) => f.endsWith('.wgsl'));
  const others = files.flatMap((file) => {
    const text = readFileSync(join(KERNELS, file), 'utf8').replace(/\/\/.*/g, '');
    return innermost(text)
      .filter((h) => !CONSTANT.test(h) && !COUNTDOWN.test(h))
      .map((h) => `${file} ${h}`);
  });
  expect(others.sort()).toEqual(Object.keys(EXEMPT).sort());
});
