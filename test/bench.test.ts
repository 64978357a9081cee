// SPDX-License-Identifier: MIT
// `npm run bench`: a case is checked and timed, and what the lines hold. Peers are not installed here; their lines are made by the same
// rows.mjs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const load = (file: string) => import(join(root, 'bench', file));
/** What `bench/FILE ...argv` prints, rows recorded below `rows`. */
function bench(rows: string | undefined, file: string, ...argv: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(root, 'bench', file), ...argv], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...(rows !== undefined && { BENCH_RESULTS: rows }) },
  });
  expect(status, stderr).toBe(0);
  return stdout;
}
const rowsOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number | string>);

it("times a case whose result is right, against the adapter's limits, one JSON line a measurement", () => {
  const lines = rowsOf(bench(undefined, 'run.mjs', '--case', 'conv1x1', '--samples', '1', '--json'));
  expect(lines.map((l) => l.pass)).toEqual(['forward', 'backward']);
  for (const l of lines) {
    expect(l).toMatchObject({
      case: 'conv1x1_256_64_40',
      engine: 'ours',
      clock: 'wall',
      ms: expect.any(Number),
      first_ms: expect.any(Number),
      of_limit: expect.any(Number),
      adapter: expect.any(String),
    });
    expect(l.error).toBeLessThan(1e-5);
    expect(l.of_limit).toBeGreaterThan(0);
  }
});

it('an older checkout is timed in turns, one row a case with both times', () => {
  const rows = mkdtempSync(join(tmpdir(), 'bench-'));
  const said = bench(rows, 'run.mjs', '--case', 'conv1x1', '--pass', 'forward', '--samples', '1', '--before', root, '--record');
  expect(said).toMatch(/ ours .*\n.* before .* ratio \d/);
  const [file] = readdirSync(rows);
  expect(rowsOf(readFileSync(join(rows, file), 'utf8'))).toEqual([
    expect.objectContaining({ case: 'conv1x1_256_64_40', pass: 'forward', ms: expect.any(Number), before_ms: expect.any(Number) }),
  ]);
  bench(rows, 'plot.mjs');
  expect(readFileSync(join(rows, 'README.md'), 'utf8')).toMatch(/\| conv1x1_256_64_40 \| forward \| .* % \|/);
});

it('what moves memory is right, too: pooling, resizing, windows, permutation', () => {
  const lines = rowsOf(bench(undefined, 'run.mjs', '--case', 'pool|resize|windows|heads', '--samples', '1', '--json'));
  expect(lines.map((l) => `${l.case} ${l.pass}`)).toEqual([
    ...['maxpool3s2_64_112', 'avgpool2_64_112', 'resize2x_64_28', 'windows8s4_64_64'].flatMap((c) => [`${c} forward`, `${c} backward`]),
    'heads_4x1024x12x64 forward',
  ]);
  for (const { error } of lines) expect(error).toBeLessThan(1e-6);
});

it('a comparison is one line with a ratio above 1 where we are faster', async () => {
  const { comparison, line, measurement } = await load('rows.mjs');
  const { CASES } = await load('cases.mjs');
  const c = CASES.find(({ name }: { name: string }) => name === 'matmul512');
  const ours = { engine: 'ours', adapter: 'a', ms: 10, fastest: 9, first_ms: 100, error: 1e-7 };
  const peer = { ...ours, engine: 'jaxjs', ms: 25 };
  expect(comparison(c, 'backward', ours, peer)).toEqual({
    case: 'matmul512',
    pass: 'backward',
    adapter: 'a',
    ours_ms: 10,
    peer: 'jaxjs',
    peer_ms: 25,
    ratio: 2.5,
  });
  // 2 * 512^3 operations in 10 ms are 26.8 GFLOP/s; forward and both gradients three times that.
  expect(measurement(c, 'forward', ours, { clock: 'wall', limits: { gflops: 100, gbs: 5 } }).of_limit).toBe(0.268);
  expect(measurement(c, 'backward', ours, { clock: 'driver' })).not.toHaveProperty('of_limit');
  expect(line(c, 'backward', peer, { ours, limits: { gflops: 100, gbs: 5 } })).toMatch(
    /^matmul512 +backward jaxjs +25\.00 ms +32\.21 GFLOP\/s +32 % .* ratio 2\.50$/,
  );
});

it.each([
  ['run.mjs', ['--case', 'nothing'], /^--case: got "nothing", which matches none of matmul512, /],
  ['run.mjs', ['--case', '['], /^--case: got "\[", expected a regular expression/],
  ['run.mjs', ['--case', 'matmul512', '--pass', 'step'], /^--pass: got "step", which none of the chosen cases has\.$/],
  ['run.mjs', ['--samples', 'many'], /^--samples: got "many", expected a whole number above 0\.$/],
  ['run.mjs', ['--clock', 'sun'], /^--clock: got "sun", expected wall, driver\.$/],
  ['run.mjs', ['--before', 'nowhere'], /^--before: got "nowhere", expected a checkout of voxelgrad that is set up/],
  ['run.mjs', ['matmul512'], /^Unexpected argument 'matmul512'.*\n\nnpm run bench \[-- options\]\n/],
  ['sanet.mjs', ['--batch', '1.5'], /^--batch: got "1\.5", expected a whole number above 0\.$/],
  ['sanet.mjs', ['--preset', 'tiny,large'], /^preset: got "large", expected demo, tiny, base, paper\.$/],
  ['growth.mjs', ['--only', 'nothing'], /^--only: got "nothing", expected a part of attention tokens, /m],
  ['gpu.mjs', ['--minutes', 'few'], /^--minutes: got "few", expected a number above 0\.$/],
  ['gpu.mjs', ['--data', 'nowhere'], /^--data: got "nowhere", expected a data set's folder: /],
  ['gpu.mjs', ['--preset', 'large'], /^preset: got "large", expected demo, tiny, base, paper\.$/],
])('%s %j: what cannot be meant is said in a line before anything is measured', (file, argv, said) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(root, 'bench', file), ...argv], { cwd: root, encoding: 'utf8' });
  expect(stderr.trimEnd()).toMatch(said);
  expect(stderr).not.toMatch(/^ {4}at /m);
  expect(stdout).not.toContain(' ms');
  expect(status).toBe(2);
});

it.each(['run', 'growth', 'sanet', 'sheet', 'plot', 'gpu'])('%s.mjs --help says what there is', (name) => {
  expect(bench(undefined, `${name}.mjs`, '--help')).toMatch(name === 'run' ? /^npm run bench / : new RegExp(`^node bench/${name}\\.mjs`));
});
