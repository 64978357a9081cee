// SPDX-License-Identifier: MIT
// What stdout and signals do to the command line as a process: results that could not be written fail, folders half made go.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleCli, memoryScratch, start, waitFor } from './processes.ts';
import { needs } from '../needs.ts';

const root = memoryScratch();
let cli = '';
beforeAll(async () => {
  cli = await bundleCli();
});

/** The command line through a shell, for its redirections. */
const shell = (line: string) =>
  spawnSync('bash', ['-c', line.replace('voxelgrad', `'${process.execPath}' '${cli}'`)], { cwd: root, encoding: 'utf8' });

needs(existsSync('/dev/full'), '/dev/full').describe('a full disk where stdout goes', () => {
  it.each(['plan', 'plan --schema', 'plan --schema --json', '--help', '--version', 'check nowhere --json'])(
    'voxelgrad %s: exit code 1 and words',
    (line) => {
      const { status, stderr } = shell(`voxelgrad ${line} > /dev/full`);
      expect(status).toBe(1);
      expect(stderr).toMatch(/error: standard output: could not be written, the disk is full\.\nhint: Free space/);
      expect(stderr.match(/standard output/g)).toHaveLength(1);
    },
  );

  it('that fills up midway is not taken for success', () => {
    const { status, stderr } = shell('ulimit -f 2; voxelgrad plan --schema > midway.json');
    expect(readFileSync(join(root, 'midway.json')).length).toBe(2048);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/standard output: could not be written, .*EFBIG/)]);
  });

  it('a full stderr loses nothing but notes', () => expect(shell('voxelgrad plan --json 2> /dev/full').status).toBe(0));
});

it('what fits is whole: a file and a pipe hold the same', () => {
  expect(shell('voxelgrad plan --schema > whole.json').status).toBe(0);
  expect(shell('voxelgrad plan --schema').stdout).toBe(readFileSync(join(root, 'whole.json'), 'utf8'));
});

describe('import', () => {
  const importing = (folder: string) => start(cli, 'import', 'phantom', '--cases', '400', '--to', join(folder, 'data'));
  /** Begins an import, and ends it when it has written something. */
  async function ended(folder: string, signal: NodeJS.Signals): Promise<NodeJS.Signals | null> {
    mkdirSync(folder, { recursive: true });
    const running = importing(folder);
    await waitFor(running, () =>
      readdirSync(folder).some((name) => name.startsWith('.importing-data.') && existsSync(join(folder, name, 'imagesTr'))),
    );
    running.child.kill(signal);
    return (await running.ended).signal;
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('ended by %s leaves nothing', async (signal) => {
    const folder = join(root, signal);
    expect(await ended(folder, signal)).toBe(signal);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("killed leaves its copy, which the next import removes; a living import's and a stranger's folder stay", async () => {
    const folder = join(root, 'killed');
    mkdirSync(join(folder, '.importing-data-stranger'), { recursive: true });
    writeFileSync(join(folder, '.importing-data-stranger/scan'), 'x');
    expect(await ended(folder, 'SIGKILL')).toBe('SIGKILL');
    const left = readdirSync(folder);
    expect(left).toHaveLength(2);
    const living = importing(folder);
    await waitFor(
      living,
      () => readdirSync(folder).filter((name) => name.startsWith('.importing-data.') && !left.includes(name)).length === 1,
    );
    const [copy] = readdirSync(folder).filter((name) => name.startsWith('.importing-data.') && !left.includes(name));
    const other = start(cli, 'import', 'phantom', '--cases', '5', '--to', join(folder, 'other'));
    expect((await other.ended).code).toBe(0);
    expect(living.child.exitCode).toBe(null);
    expect(readdirSync(folder).sort()).toEqual(['.importing-data-stranger', copy, 'other'].sort());
    living.child.kill('SIGINT');
    await living.ended;
    expect(readdirSync(folder).sort()).toEqual(['.importing-data-stranger', 'other']);
  });
});
