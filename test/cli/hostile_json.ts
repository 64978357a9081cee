// SPDX-License-Identifier: MIT
// JSON and logs that somebody damaged or made to do harm, through the whole command line: a result or a refusal in words, nothing
// outside the output, nothing half-written, nothing that commands a terminal.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { writePhantomDataset } from '../../src/io/node/dataset/phantoms.ts';
import { sparsify } from '../../src/io/node/dataset/sparsify.ts';
import { mutateBytes, mutateJson, random, type Random } from '../campaign.ts';
import { cpuSeconds } from '../probe.ts';
import { voxelgrad, type Said } from './voxelgrad.ts';

export async function cli(...argv: string[]): Promise<Said> {
  return voxelgrad(argv);
}

const logRow = (iteration: number) => ({
  iteration,
  loss: { sam: 1 / iteration, coronal: null },
  dice: { ensemble: 0.5 },
  lr: { sam: 1e-3 },
  lambda: 0.5,
  seconds: iteration,
  ...(iteration === 5 && { resumed: true }),
});

/** A data set, masks and a run, small but with everything that a report reads. */
export async function world(root: string): Promise<void> {
  const at = (...parts: string[]) => join(root, ...parts);
  await writePhantomDataset(at('data'), { training: 2, test: 1, size: [6, 16, 16], seed: 5, radii: [3, 4], contrast: 300 });
  await sparsify(at('data'), 'both', 7);
  mkdirSync(at('run'));
  for (const argv of [
    ['plan', at('data'), '--preset', 'demo', '--out', at('run/plan.json')],
    ['eval', at('data/labelsTr'), at('data/labelsTr'), '--out', at('run')],
  ])
    expect(await cli(...argv)).toMatchObject({ code: 0, err: '' });
  cpSync(at('data/labelsTr'), at('masks'), { recursive: true });
  writeFileSync(
    at('masks/prediction.json'),
    JSON.stringify({
      version: 2,
      verb: 'predict',
      run: at('gone'),
      checkpoint: at('gone/best'),
      weights: 'sha256:00',
      iteration: 3,
      plan: '00',
      prediction: { step: 0.5 },
      headline: 'ensemble',
      voxelgrad: '0.1.0',
    }),
  );
  writeFileSync(at('run/log.jsonl'), Array.from({ length: 12 }, (_, i) => `${JSON.stringify(logRow(i + 1))}\n`).join(''));
  writeFileSync(
    at('run/run.json'),
    JSON.stringify({
      version: 1,
      fold: { train: ['phantom_000'], selection: [] },
      annotation: { scheme: 'both', voxels: 0.5 },
      evaluated: '2 cases',
      references: [{ role: 'published', name: 'paper', dice: 76 }],
      stages: [{ name: 'train', seconds: 3, peakBytes: 100 }],
      machine: { adapter: 'none', limits: { maxBufferSize: 1 } },
      evaluations: { networks: {} },
      provenance: { datasets: [{ name: 'phantom', cases: 3 }], command: 'voxelgrad train', seeds: { training: 1 }, limitations: ['none'] },
    }),
  );
}

/** Everything below a folder with size and time of change, but for the output. */
const state = (root: string): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/^out(\/|$)/.test(name))
    .sort()
    .map((name) => {
      const s = statSync(join(root, name));
      return s.isFile() ? `${name} ${s.size} ${s.mtimeMs}` : name;
    });

const VICTIMS: readonly { readonly file: string; readonly verbs: readonly ((at: (path: string) => string) => string[])[] }[] = [
  {
    file: 'data/dataset.json',
    verbs: [
      (at) => ['check', at('data')],
      (at) => ['plan', at('data'), '--out', at('out')],
      (at) => ['eval', at('data'), at('data/labelsTr'), '--out', at('out'), '--no-networks'],
    ],
  },
  { file: 'data/annotations.json', verbs: [(at) => ['check', at('data')], (at) => ['plan', at('data'), '--out', at('out')]] },
  { file: 'masks/prediction.json', verbs: [(at) => ['eval', at('data'), at('masks'), '--out', at('out')]] },
  ...['run/plan.json', 'run/run.json', 'run/summary.json', 'run/log.jsonl'].map((file) => ({
    file,
    verbs: [(at: (path: string) => string) => ['report', at('run'), '--out', at('out')]],
  })),
];

function hostile(file: string, text: string, r: Random): Buffer {
  if (!file.endsWith('.jsonl')) return Buffer.from(mutateJson(JSON.parse(text), r), r.chance(0.1) ? 'latin1' : 'utf8');
  const lines = text.split('\n');
  if (r.chance(0.2)) return mutateBytes(Buffer.from(text), r);
  const at = r.below(lines.length - 1);
  lines[at] = mutateJson(JSON.parse(lines[at]), r).replaceAll('\n', ' ');
  return Buffer.from(lines.join('\n'));
}

/** Tries `count` inputs from `seed` on, in a `world`. */
export async function tryJson(root: string, seed: number, count: number): Promise<void> {
  const at = (path: string): string => join(root, path);
  let refused = 0;
  for (let i = seed; i < seed + count; i++) {
    const r = random(i);
    const { file, verbs } = r.of(VICTIMS);
    const good = readFileSync(at(file), 'utf8');
    writeFileSync(at(file), hostile(file, good, r));
    const line = r.of(verbs)(at);
    const argv = [...line, ...(line[0] !== 'plan' && r.chance(0.3) ? ['--json'] : [])]; // a plan's --json traces an iteration, for seconds
    const what = `input ${i}: voxelgrad ${argv.join(' ')} with ${file}`;
    const before = state(root),
      begun = cpuSeconds();
    const { code, out, err } = await cli(...argv);
    expect(cpuSeconds() - begun, `seconds of ${what}`).toBeLessThan(10);
    expect([0, 3], `${what}\n${err}`).toContain(code);
    expect(out + err, what).not.toMatch(/\n +at .*:\d+:\d+/);
    expect(out + err, what).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
    if (argv.includes('--json')) expect(() => JSON.parse(out), what).not.toThrow();
    if (code !== 0) {
      refused++;
      expect(err.length, what).toBeLessThan(10_000);
      expect(existsSync(at('out')), what).toBe(false);
    }
    expect(state(root), what).toEqual(before);
    rmSync(at('out'), { recursive: true, force: true });
    writeFileSync(at(file), good);
  }
  expect(refused).toBeGreaterThan(count / 4);
}
