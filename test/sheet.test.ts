// SPDX-License-Identifier: MIT
// bench/sheet.mjs: an adapter on paper, and what a training iteration would leave idle of an H200.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
interface Row {
  readonly kernel: string;
  readonly label: string;
  readonly groups: number;
  readonly lanes: number;
  readonly bytes: number;
  readonly flops: number;
  readonly floor: number;
  readonly full: number;
  readonly lost: number;
  readonly estimate: number;
  readonly runs?: number;
}

function sheet(...options: string[]): Row[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(root, 'bench/sheet.mjs'), '--json', ...options], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  expect(status, stderr).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}
const sum = (rows: readonly Row[], f: (row: Row) => number): number => rows.reduce((n, row) => n + f(row) * (row.runs ?? 1), 0);

describe('the sheet of an H200', () => {
  it('knows a product: workgroups, lanes, bytes, operations, floor', async () => {
    const { sheetOf } = await import(join(root, 'bench/floors.mjs'));
    const kernel = { entry: 'k', wgsl: '@compute @workgroup_size(WG) fn k() {}', overrides: { WG: { type: 'u32', default: 64 } } };
    const rates = { processors: 100, gflops: 1000, gbs: 100, dispatch_us: 5, efficiency: 0.5 };
    const dispatch = {
      label: 'a',
      kernel,
      spec: {},
      overrides: { WG: 128 },
      grid: [10, 1, 1],
      bytes: 1000,
      op: { flops: 1e6, dispatches: 1 },
    };
    // 1 MFLOP at 1,000 GFLOP/s is 1 us; ten workgroups occupy a tenth of the processors and one of them reaches half of its rate.
    expect(sheetOf([dispatch], rates)).toEqual([
      { label: 'a', kernel: 'k', groups: 10, lanes: 1280, bytes: 1000, flops: 1e6, floor: 10, full: 5, lost: 5, estimate: 25 },
    ]);
    const [small, large] = sheetOf(
      [
        { ...dispatch, grid: [1, 1, 1], op: { flops: 1e6, dispatches: 2 } },
        { ...dispatch, op: { flops: 1e6, dispatches: 2 } },
      ],
      rates,
    );
    expect([small.flops, large.flops]).toEqual([0, 1e6]);
  });

  // What is lost can only become less: whoever mends a kernel lowers the number.
  it.each([
    ['tiny', 5500, 0.9],
    ['base', 27_000, 16],
  ] as const)(
    '`%s` has at most %i dispatches, and idle processors cost at most %d ms of its floor, all in products',
    (preset, dispatches, ms) => {
      const rows = sheet('--preset', preset);
      expect(sum(rows, () => 1)).toBeLessThanOrEqual(dispatches);
      expect(sum(rows, (row) => row.lost) / 1e3).toBeLessThanOrEqual(ms);
      const idle = rows
        .filter((row) => row.lost > 5 && !/^(conv|matmul)/.test(row.kernel))
        .map((row) => `${row.label} ${row.kernel}: ${row.groups} workgroups, ${row.lost.toFixed(0)} us`);
      expect(idle).toEqual([]);
      for (const row of rows) expect(row.lanes, row.label).toBeGreaterThan(0);
    },
  );

  it('lowers the cases of the benchmark, forward and backward', () => {
    const rows = sheet('--case', '^matmul1024$');
    expect(rows.some((row) => row.kernel === 'matmul_blocks' && Math.abs(row.flops / (2 * 1024 ** 3) - 1) < 0.01)).toBe(true);
  });
});
