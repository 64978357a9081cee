// SPDX-License-Identifier: MIT
// bench/sheet.mjs: an adapter on paper, and what a training iteration would leave idle of an H200.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
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
  /** Of its calls, were each a dispatch; and how many they are. */
  readonly alone: number;
  readonly calls: number;
  readonly runs?: number;
}

const facts = JSON.parse(readFileSync(join(root, 'bench/adapters/nvidia-h200.json'), 'utf8')) as {
  readonly adapter: object;
  readonly rates: { readonly processors: number };
  /** By `METHOD PRESET` and kernel: milliseconds and dispatches. */
  readonly profile: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>>;
  readonly why: Readonly<Record<string, string>>;
};
const before = new Map<string, string>();
function printed(...options: string[]): string {
  const key = options.join(' '),
    text = before.get(key) ?? run(options);
  before.set(key, text);
  return text;
}
const started = (options: readonly string[]): { stdout: string; stderr: string; status: number | null } =>
  spawnSync(process.execPath, [join(root, 'bench/sheet.mjs'), ...options], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
function run(options: readonly string[]): string {
  const { stdout, stderr, status } = started(options);
  expect(status, stderr).toBe(0);
  return stdout;
}
function sheet(...options: string[]): Row[] {
  return printed('--json', ...options)
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
    const call = (entry: string, groups: number, op: object) => {
      const grid = [groups, 1, 1];
      const own = { ...kernel, entry, wgsl: `@compute @workgroup_size(WG) fn ${entry}() {}` };
      return { label: 'a', kernel: own, spec: {}, overrides: { WG: 128 }, grid, bytes: 1000, calls: [{ kernel: own, grid, op }] };
    };
    // 1 MFLOP at 1,000 GFLOP/s is 1 us; ten workgroups occupy a tenth of the processors and one of them reaches half of its rate.
    const flops = 1e6;
    const one = { label: 'a', kernel: 'k', calls: 1, groups: 10, lanes: 1280, bytes: 1000, flops, floor: 10, full: 5, lost: 5 };
    expect(sheetOf([call('k', 10, { flops })], rates)).toEqual([{ ...one, estimate: 25, alone: 25 }]);
    const op = { flops };
    const [small, large] = sheetOf([call('k', 1, op), call('k', 10, op)], rates);
    expect([small.flops, large.flops]).toEqual([0, 1e6]);
    // Two calls side by side have the workgroups and the operations of both, and begin once.
    const both = { ...call('k', 20, {}), calls: [...call('k', 10, { flops }).calls, ...call('k', 10, { flops }).calls] };
    expect(sheetOf([both], rates)).toEqual([{ ...one, calls: 2, groups: 20, lanes: 2560, flops: 2e6, lost: 5, estimate: 25, alone: 50 }]);
    // Of an attention its products work, not what divides by lengths, though that has the most lanes.
    const parts = [
      ['attention_norms', 1000],
      ['matmul_blocks', 10],
      ['attention_softmax', 1000],
      ['matmul_blocks', 10],
    ] as const;
    const attention = parts.map(([entry, groups]) => call(entry, groups, op));
    expect(sheetOf(attention, rates).map(({ flops }: Row) => flops)).toEqual([0, 5e5, 0, 5e5]);
  });

  // Dispatches and what is lost can only become less: whoever mends a kernel lowers the number.
  it.each([
    ['tiny', 1967, 0.01],
    ['base', 5360, 0.05],
  ] as const)('`%s` has at most %i dispatches, none leaves most of an H200 idle, and in all that costs %d ms', (preset, dispatches, ms) => {
    const rows = sheet('--preset', preset);
    expect(sum(rows, () => 1)).toBeLessThanOrEqual(dispatches);
    expect(sum(rows, (row) => row.lost) / 1e3).toBeLessThanOrEqual(ms);
    const idle = rows
      .filter((row) => row.lost > 1)
      .map((row) => `${row.label} ${row.kernel}: ${row.groups} workgroups, ${row.lost.toFixed(0)} us`);
    expect(idle).toEqual([]);
    for (const row of rows) expect(row.lanes, row.label).toBeGreaterThan(0);
  });

  it.each(['tiny', 'base'])('`%s`: each kernel that was recorded is within a factor of two, says why not, or is gone', (preset) => {
    const rows = sheet('--preset', preset),
      lines = printed('--preset', preset).split('\n');
    const near: string[] = [];
    for (const [kernel, [ms, dispatches]] of Object.entries(facts.profile[`sanet ${preset}`])) {
      const own = rows.filter((row) => row.kernel === kernel);
      if (own.length === 0) {
        expect(lines.find((line) => line.startsWith('recorded, and no longer dispatched: '))).toContain(`${kernel} (${ms} ms`);
        continue;
      }
      const ratio = (1e3 * ms) / dispatches / (sum(own, (row) => row.alone) / sum(own, (row) => row.calls));
      const line = lines.find((each) => each.startsWith(`${kernel} `));
      if (ratio >= 0.5 && ratio <= 2) near.push(kernel);
      else expect(line, `${kernel}: ${ratio.toFixed(2)} times the estimate`).toMatch(/x  \w.{20}/);
      expect(line, kernel).not.toContain('not explained');
    }
    expect(near.length, near.join()).toBeGreaterThanOrEqual(8);
  });

  it('of another adapter, from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-sheet-'));
    const file = join(folder, 'other.json');
    writeFileSync(file, JSON.stringify({ ...facts, rates: { ...facts.rates, processors: 4000 } }));
    const lost = (...options: string[]): number => sum(sheet('--case', '^conv3x3_64_56$', ...options), (row) => row.lost);
    expect(lost('--caps', file)).toBeGreaterThan(lost());
    rmSync(folder, { recursive: true });
  });

  it("of a doctor's file without rates, at those of an H200, and says so", () => {
    const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-sheet-'));
    const file = join(folder, 'other.json');
    const { rates, profile: _profile, why: _why, ...doctor } = facts;
    writeFileSync(file, JSON.stringify({ ...doctor, adapter: { ...doctor.adapter, name: 'another card' } }));
    const of = ['--case', '^conv3x3_64_56$'];
    expect(sheet(...of, '--caps', file)).toEqual(sheet(...of)); // the same limits and features, and the same rates
    const { stdout, stderr } = started([...of, '--caps', file]);
    expect(stdout).toMatch(/on another card at the rates of nvidia-h200: \d+ dispatches/);
    expect(stderr).toContain(`${file} has no "rates"`);
    expect(printed(...of)).not.toContain('at the rates of');
    writeFileSync(file, JSON.stringify({ ...doctor, rates: { ...rates, gbs: undefined } }));
    expect(started(['--caps', file]).stderr).toContain(`${file}: rates.gbs: got nothing, expected a number above 0. On the machine`);
    rmSync(folder, { recursive: true });
  });

  it('says in a line what cannot be meant', () => {
    const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-sheet-'));
    const written = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    for (const [option, value, said] of [
      [
        '--caps',
        join(folder, 'missing.json'),
        /^--caps: .*missing\.json cannot be read \(ENOENT\), expected .* `npx voxelgrad doctor --json/,
      ],
      ['--caps', folder, /^--caps: .* cannot be read \(EISDIR\), expected .* `npx voxelgrad doctor --json/],
      ['--caps', written('no.json', 'adapter: none'), /^--caps: .*no\.json is no JSON \(.*\)\. .* `npx voxelgrad doctor --json/],
      ['--caps', written('null.json', 'null'), /^--caps: .*null\.json: adapter\.name: got nothing, expected a text\./],
      [
        '--caps',
        written('none.json', '{"adapter":null,"limits":{}}'),
        /^--caps: .*none\.json is of a machine where no adapter was found\./,
      ],
      [
        '--caps',
        written('few.json', JSON.stringify({ ...facts, limits: {} })),
        /few\.json: limits\.maxStorageBufferBindingSize: got nothing,/,
      ],
      ['--caps', written('bare.json', JSON.stringify({ ...facts, features: [] })), /subgroups/],
      ['--case', 'nothing', /^--case: got "nothing", which matches none of matmul512, /],
      ['--case', '[', /^--case: got "\[", expected a regular expression/],
      ['--preset', 'large', /^preset: got "large", expected demo, tiny, base, paper\.$/],
      ['--method', 'unet', /^method: got "unet", expected sanet, vnet, /],
      ['--capz', 'x', /^Unknown option '--capz'\n\nnode bench\/sheet\.mjs \[options\]\n/],
    ] as const) {
      const { stderr, status } = started([option, value]);
      expect(stderr.trimEnd()).toMatch(said);
      expect(stderr).not.toMatch(/^ {4}at /m);
      expect(status).toBe(2);
    }
    rmSync(folder, { recursive: true });
  });

  it('says which kernels are far from what was recorded and nobody has said why', () => {
    const folder = mkdtempSync(join(tmpdir(), 'voxelgrad-sheet-'));
    const file = join(folder, 'unexplained.json');
    writeFileSync(file, JSON.stringify({ ...facts, why: {} }));
    const far = (text: string, sign: RegExp): string[] =>
      text
        .split('\n')
        .filter((line) => sign.test(line))
        .map((line) => line.split(' ')[0]);
    const unexplained = far(printed('--caps', file), /not explained/);
    expect(unexplained).toContain('matmul');
    expect(unexplained).toEqual(far(printed('--preset', 'tiny'), /\dx  /));
    rmSync(folder, { recursive: true });
  });

  it('counts what is bound twice once', () => {
    // x + z of 16 M numbers: two read and one written, though the kernel could read four
    expect(sheet('--case', '^ew_add_16M$').map(({ bytes }) => bytes)).toEqual([3 * 4 * 2 ** 24]);
  });

  it('lowers the cases of the benchmark, forward and backward', () => {
    const rows = sheet('--case', '^matmul1024$');
    expect(rows.some((row) => row.kernel === 'matmul_blocks' && Math.abs(row.flops / (2 * 1024 ** 3) - 1) < 0.01)).toBe(true);
  });
});
