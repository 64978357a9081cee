// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../../src/cli/failure.ts';
import { DataError, DeviceLostError, StateDictError, UsageError } from '../../src/errors.ts';
import { voxelgrad, type Said } from './voxelgrad.ts';

async function run(...argv: string[]): Promise<Said> {
  return voxelgrad(argv);
}

describe('the command line', () => {
  it('shows every verb without arguments and with --help', async () => {
    for (const argv of [[], ['--help']]) {
      const { code, out, err } = await run(...argv);
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(/doctor/);
      expect(out).toMatch(/Not for clinical use/);
    }
  });

  it('prints its version', async () => expect((await run('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/));

  it("shows a verb's own help, both ways", async () => {
    for (const argv of [
      ['doctor', '--help'],
      ['help', 'doctor'],
    ]) {
      const { code, out } = await run(...argv);
      expect(code).toBe(0);
      expect(out).toMatch(/--json[^]*Exit code 0 only if a small kernel/);
    }
  });

  it.each([
    [['doctr'], /error: unknown command 'doctr'[^]*Did you mean doctor[^]*hint: voxelgrad --help/],
    [['doctor', '--jsn'], /error: unknown option '--jsn'[^]*hint: voxelgrad doctor --help/],
    [['doctor', 'extra'], /too many arguments/],
    [['--frobnicate'], /unknown option/],
  ])('%j is a usage error: exit code 2, words on stderr, nothing on stdout', async (argv, message) => {
    const { code, out, err } = await run(...argv);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(out).toBe('');
  });

  it('prints errors as JSON on stdout too, with --json', async () => {
    const { code, out, err } = await run('doctor', 'extra', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      error: { code: 'USAGE', message: expect.stringContaining('too many'), hint: expect.stringContaining('--help') },
    });
    expect(err).toMatch(/^error: too many/);
  });
});

describe('doctor', () => {
  it('finds the adapter and proves a kernel', async () => {
    const { code, out } = await run('doctor', '--json');
    const found = JSON.parse(out);
    expect(found.kernel).toMatchObject({ ok: true });
    expect(code).toBe(0);
    expect(found.adapter.name).not.toBe('');
    expect(found.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 * 2 ** 20);
    for (const { what, remedy } of found.missing) expect([what, remedy].every((s) => s.length > 5)).toBe(true);
  });

  it('prints the same for a person', async () => {
    const { code, out } = await run('doctor');
    expect(code).toBe(0);
    expect(out).toMatch(/^adapter +\S/m);
    expect(out).toMatch(/^kernel +right/m);
    expect(out).toMatch(/maxStorageBufferBindingSize \d+/);
  });
});

describe('failures', () => {
  it.each([
    [new UsageError('u'), 2],
    [new DataError('d'), 3],
    [new StateDictError('s'), 3],
    [new DeviceLostError('l'), 1],
    [new TypeError('t'), 1],
    [Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), { code: 'ENOENT', syscall: 'open' }), 3],
  ])('%s ends with exit code %i', (error, code) => expect(failureOf(error).exitCode).toBe(code));

  it('splits message and hint, and keeps the stack only of bugs', () => {
    expect(failureOf(new DataError('x: bad.', 'Do y.'))).toEqual({
      code: 'DATA',
      message: 'x: bad.',
      hint: 'Do y.',
      exitCode: 3,
      stack: undefined,
    });
    expect(failureOf(new TypeError('oops')).stack).toMatch(/TypeError: oops\n +at/);
    expect(failureOf('a string').message).toBe('a string');
  });
});

describe('bin/voxelgrad.mjs', () => {
  /** The real file beside a cli.js of the test's own. */
  function bin(cli: string | null): ReturnType<typeof spawnSync> {
    const folder = mkdtempSync(join(tmpdir(), 'vg-bin-'));
    mkdirSync(join(folder, 'bin'));
    mkdirSync(join(folder, 'dist'));
    copyFileSync(fileURLToPath(new URL('../../bin/voxelgrad.mjs', import.meta.url)), join(folder, 'bin/voxelgrad.mjs'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    if (cli !== null) writeFileSync(join(folder, 'dist/cli.js'), cli);
    return spawnSync(process.execPath, [join(folder, 'bin/voxelgrad.mjs'), 'a', '--b'], { encoding: 'utf8' });
  }

  it("passes the arguments on and returns main's exit code", () => {
    const child = bin('export async function main(argv) { console.log(argv.join()); return 3; }');
    expect([child.status, child.stdout]).toEqual([3, 'a,--b\n']);
  });
  it('fails on a rejection that nobody awaited, after main has finished', () => {
    const child = bin(
      'export async function main() { Promise.reject(new Error("lost")); await new Promise((r) => setTimeout(r, 20)); ' +
        'console.log("finished"); return 0; }',
    );
    expect([child.status, child.stdout]).toEqual([1, 'finished\n']);
    expect(child.stderr).toMatch(/error: Error: lost/);
  });
  it('says what to do in a checkout that is not built', () => {
    const child = bin(null);
    expect(child.status).toBe(1);
    expect(child.stderr).toMatch(/not built\. Run `npm run setup`/);
  });
});
