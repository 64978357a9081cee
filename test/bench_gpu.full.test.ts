// SPDX-License-Identifier: MIT
// The training run of bench/gpu.mjs, stopped at its limit: its row says what was done, by the run's own log.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

it('a training run that its limit stops leaves the iterations it did and their seconds', () => {
  // How long it takes to the first iteration depends on the adapter and on what else the machine does.
  for (let seconds = 60; ; seconds *= 2) {
    const out = mkdtempSync(join(tmpdir(), 'voxelgrad-gpu-'));
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(root, 'bench/training.mjs'), '--preset', 'demo', '--iterations', '100000'],
      { cwd: root, encoding: 'utf8', env: { ...process.env, BENCH_RESULTS: out, BENCH_UNTIL: String(Date.now() + 1000 * seconds) } },
    );
    const [file] = readdirSync(out);
    const row = JSON.parse(readFileSync(join(out, file), 'utf8')) as Record<string, unknown>;
    rmSync(out, { recursive: true });
    expect(row).toMatchObject({ case: 'train_demo', pass: 'run', engine: 'ours', iterations: expect.any(Number) });
    if (row.iterations === 0) continue;
    expect(status, stderr).toBe(0);
    expect(row.seconds).toBeGreaterThan(0);
    expect(row.ms === undefined).toBe(row.problem === 'stopped at its limit');
    return;
  }
});
