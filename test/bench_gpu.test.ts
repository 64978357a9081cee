// SPDX-License-Identifier: MIT
// bench/gpu.mjs on a short lease: sections end at their limits, what they printed and measured is kept, whenever it all ends.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { posix } from './needs.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
interface Section {
  readonly section: string;
  readonly state: string;
  readonly seconds: number;
}
type Row = Readonly<Record<string, unknown>>;

let out: string;
beforeEach(() => void (out = mkdtempSync(join(tmpdir(), 'voxelgrad-gpu-'))));
afterEach(() => rmSync(out, { recursive: true, force: true }));

const rowsOf = (file: string): Row[] =>
  readFileSync(join(out, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
const sections = (): Section[] => rowsOf('sections.log') as unknown as Section[];
const node = (program: string): string[] => [process.execPath, '-e', program];
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

posix.it('a section that hangs is killed at its limit with all that it began; its words are kept and the next one runs', async () => {
  const { runSections } = (await import(join(root, 'bench/sections.mjs'))) as {
    runSections: (list: { name: string; share: number; command: string[] }[], options: object) => Promise<Section[]>;
  };
  const waits = 'setInterval(() => {}, 1000)';
  const hangs = `console.log(require('child_process').spawn(process.execPath, ['-e', '${waits}']).pid); ${waits}`;
  const list = [
    { name: 'hangs', share: 1, command: node(hangs) },
    { name: 'fails', share: 1, command: node('console.error("broken"); process.exit(3)') },
    { name: 'works', share: 1, command: node('console.log(process.env.BENCH_RESULTS)') },
    { name: 'missing', share: 1, command: ['/no/such/program'] },
  ];
  const ended = await runSections(list, { seconds: 40, folder: out, root });
  expect(ended).toEqual(sections());
  expect(ended.map(({ section, state }) => [section, state])).toEqual([
    ['hangs', 'stopped at its limit'],
    ['fails', 'exit code 3'],
    ['works', 'done'],
    ['missing', expect.stringContaining('ENOENT')],
  ]);
  expect(readFileSync(join(out, 'fails.log'), 'utf8')).toBe('broken\n');
  expect(readFileSync(join(out, 'works.log'), 'utf8')).toBe(`${out}\n`);
  const begun = Number(readFileSync(join(out, 'hangs.log'), 'utf8'));
  expect(begun).toBeGreaterThan(0);
  await expect.poll(() => alive(begun), { timeout: 10_000 }).toBe(false);
  // Time that is over is said too.
  expect(await runSections(list.slice(2, 3), { seconds: 0, folder: out, root })).toMatchObject([{ state: 'no time left' }]);
});

posix.it('--minutes: every section has a row and a log, however far it came, with nothing but Node on the machine', () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'bench/gpu.mjs'), '--minutes', '0.4', '--any-adapter', '--case', '^conv1x1_256_64_40$', '--out', out],
    { cwd: root, encoding: 'utf8', env: { ...process.env, PATH: '' } },
  );
  const ended = sections();
  expect(
    ended.map(({ section }) => section),
    stderr,
  ).toEqual(['tests', 'candidates', 'ops', 'sanet_tiny', 'sanet_base', 'training', 'apart']);
  expect(stderr).toContain('no PyTorch in "python3" (--python)');
  expect(ended[0].state, readFileSync(join(out, 'tests.log'), 'utf8')).toBe('stopped at its limit');
  for (const { section, state } of ended) {
    expect(state).toMatch(/^(done|stopped at its limit|no time left|exit code \d+)$/);
    expect(stdout).toContain(`== ${section}`);
    expect(existsSync(join(out, `${section}.log`))).toBe(state !== 'no time left');
  }
});

posix.it('what was measured is there when the whole is ended from outside', async () => {
  const section = `import(${JSON.stringify(join(root, 'bench/results.mjs'))}).then(({ record }) => {
    record({ adapter: 'An adapter', ms: 1 });
    console.log('measured');
    setInterval(() => {}, 1000);
  })`;
  const program = `import { runSections } from ${JSON.stringify(join(root, 'bench/sections.mjs'))};
    const list = ['first', 'second'].map((name) => ({ name, share: 1, command: [process.execPath, '-e', ${JSON.stringify(section)}] }));
    await runSections(list, { seconds: Infinity, folder: ${JSON.stringify(out)}, root: ${JSON.stringify(root)} });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = new Promise((resolve) => child.on('close', resolve));
  child.stdout.setEncoding('utf8').on('data', (text: string) => text.includes('measured') && child.kill('SIGTERM'));
  await closed;
  expect(sections()).toMatchObject([{ section: 'first', state: 'interrupted' }]);
  expect(rowsOf('an-adapter.jsonl')).toEqual([{ adapter: 'An adapter', ms: 1 }]);
  expect(readFileSync(join(out, 'first.log'), 'utf8')).toBe('measured\n');
});

/** Runs a script of bench/ as a section whose limit is in so many seconds. */
const inSection = (seconds: number, script: string, ...argv: string[]): { status: number | null; stderr: string } =>
  spawnSync(process.execPath, [join(root, 'bench', script), ...argv], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, BENCH_RESULTS: out, BENCH_UNTIL: String(Date.now() + 1000 * seconds) },
  });
const onlyRow = (): Row => {
  const files = readdirSync(out);
  expect(files).toHaveLength(1);
  const rows = rowsOf(files[0]);
  expect(rows).toHaveLength(1);
  return rows[0];
};

it('an iteration: as many as fit before the limit, at least one, and the row says how many', () => {
  const { status, stderr } = inSection(10, 'sanet.mjs', '--method', 'vnet', '--preset', 'demo', '--iterations', '100000', '--record');
  expect(status, stderr).toBe(0);
  const row = onlyRow();
  expect(row).toMatchObject({ case: 'vnet_demo', iterations: expect.any(Number), first_ms: expect.any(Number), gflop: expect.any(Number) });
  expect(row.iterations).toBeGreaterThan(0);
  expect(typeof row.ms).toBe(row.iterations === 1 ? 'undefined' : 'number');
});

it.each([
  ['beside_torch.mjs', ['--iteration', 'tiny'], { case: 'sanet_tiny_oracle', pass: 'step' }],
  ['training.mjs', [], { case: 'train_tiny', pass: 'run' }],
])('%s: a limit before the first iteration leaves a row, too', (script, argv, of) => {
  expect(inSection(0, script, ...argv).status).toBe(1);
  expect(onlyRow()).toMatchObject({ ...of, engine: 'ours', iterations: 0, problem: 'stopped at its limit' });
});

it('candidates: tiles of a shape class side by side, a row each, and ranges of a long reduction', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      join(root, 'bench/candidates.mjs'),
      '--shapes',
      'f32 16x32 1,f32 16x32 1 k2048',
      '--tiles',
      'registers 4x1|blocks 64x64',
      '--case',
      '^none$',
    ],
    { cwd: root, encoding: 'utf8', env: { ...process.env, BENCH_RESULTS: out } },
  );
  expect(status, stderr).toBe(0);
  const [file] = readdirSync(out);
  expect(file).toMatch(/-tiles\.jsonl$/);
  const rows = rowsOf(file);
  for (const row of rows) expect(row).toMatchObject({ adapter: expect.any(String), pass: 'product', ms: expect.any(Number) });
  const tilesOf = (shape: string): unknown[] => rows.filter((row) => row.case === shape).map(({ tile }) => tile);
  const [whole, cut] = [tilesOf('f32 16x32 1'), tilesOf('f32 16x32 1 k2048')];
  expect(whole.length + cut.length).toBe(rows.length);
  expect(whole[0]).toMatch(/^(registers|blocks) /); // the built-in one
  expect(whole).toEqual([whole[0], ...['registers 4x1', 'blocks 64x64'].filter((tile) => tile !== whole[0])]);
  expect(cut[0]).toBe(whole[0]);
  for (const ranges of [1, 4, 8, 16, 32]) expect(cut).toContain(`blocks 64x64 k${ranges}`); // around the 8 of the rule
});
