// SPDX-License-Identifier: MIT
// What a run folder is: one run's, whatever of it is there. Begun twice, killed early, started from weights of a file.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { commandLine } from '../../src/cli/text.ts';
import { FolderLock } from '../../src/files/lock.ts';
import { currentDevice } from '../../src/gpu/device.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { type CheckpointName } from '../../src/train/run_store.ts';
import { scratch } from '../data/helpers.ts';
import { slicesAlone, tinyDataset, tinyPlan, writePlan } from './tiny_run.ts';
import { voxelgrad, type Said } from '../cli/voxelgrad.ts';

const root = scratch();
const data = join(root, 'data');
const at = (name: string): string => join(root, name);
const plan = writePlan(
  root,
  tinyPlan((p) => {
    slicesAlone(p);
    p.training.iterations = 4;
  }),
);

/** One command; `on` sees every line as it is printed. */
async function verb(argv: readonly string[], on: (text: string) => void = () => {}): Promise<Said> {
  const said = await voxelgrad(argv, on);
  expect(said.err).not.toMatch(/\n {4}at /);
  return said;
}
const fresh = (run: string, ...more: string[]): Promise<Said> => verb(['train', data, '--run', run, '--plan', plan, ...more]);
const resumed = (run: string, ...more: string[]): Promise<Said> => verb(['train', data, '--run', run, '--resume', ...more]);

async function weights(run: string, which: CheckpointName = 'final'): Promise<Map<string, Buffer>> {
  const { tensors } = await readCheckpoint(checkpointPath(run, which));
  return new Map([...tensors].map(([name, { data: v }]) => [name, Buffer.from(v.buffer, v.byteOffset, v.byteLength)]));
}

/** A copy of the finished run with only some of its files. */
function part(name: string, files: readonly string[]): string {
  mkdirSync(join(at(name), 'checkpoints'), { recursive: true });
  for (const file of files) copyFileSync(join(at('alone'), file), join(at(name), file));
  return at(name);
}

beforeAll(async () => {
  await tinyDataset(data);
  expect(await fresh(at('alone'))).toMatchObject({ code: 0 });
});

describe('a folder that holds anything of a run', () => {
  it.each(['checkpoints/best.safetensors', 'checkpoints/final.safetensors', 'log.jsonl', 'plan.json'])(
    '%s alone: is not begun anew, and stays as it is',
    async (file) => {
      const run = part(`only ${file.replaceAll('/', ' ')}`, [file]);
      const before = readFileSync(join(run, file));
      const { code, err } = await fresh(run);
      expect([code, err]).toEqual([3, expect.stringMatching(/holds a run already, got \S+\.\nhint: Add --resume/)]);
      expect(readFileSync(join(run, file)).equals(before)).toBe(true);
      expect(readdirSync(run).sort()).toEqual(file.startsWith('checkpoints') ? ['checkpoints'] : ['checkpoints', file].sort());
    },
  );

  it('best without latest goes on from best', async () => {
    const run = part('killed after best', ['plan.json', 'log.jsonl', 'checkpoints/best.safetensors']);
    expect(await resumed(run)).toMatchObject({ code: 0 });
    expect(await weights(run)).toEqual(await weights(at('alone')));
  });

  it('without a checkpoint says what is missing, and does not begin from random weights', async () => {
    const run = part('no checkpoint', ['plan.json', 'log.jsonl']);
    const { code, err } = await resumed(run);
    expect([code, err]).toEqual([
      3,
      expect.stringMatching(/has no checkpoint to go on from, got plan\.json, log\.jsonl\.\nhint: .*start it again/),
    ]);
    expect(readFileSync(join(run, 'log.jsonl'), 'utf8')).toBe(readFileSync(join(at('alone'), 'log.jsonl'), 'utf8'));
  });
});

describe('a folder in use', () => {
  it('is refused to another process, started or resumed, naming the first', async () => {
    mkdirSync(at('held'));
    using lock = FolderLock.take(at('held'), 'training') as FolderLock;
    expect(lock).toBeInstanceOf(FolderLock);
    for (const argv of [[], ['--force']]) {
      const { code, err } = await fresh(at('held'), ...argv);
      expect([code, err]).toEqual([
        3,
        expect.stringMatching(
          new RegExp(`held: another process trains in this folder, got process ${process.pid} on .*\nhint: Wait for it or stop it`),
        ),
      ]);
    }
    expect(readdirSync(at('held')).filter((name) => !name.endsWith('.lock'))).toEqual(['checkpoints']);
  });

  it('leaves no lock behind, and nothing else where it never began', async () => {
    expect(readdirSync(at('alone')).filter((name) => name.startsWith('.'))).toEqual([]);
    const [label] = readdirSync(join(data, 'labelsTr')).map((name) => join(data, 'labelsTr', name));
    renameSync(label, `${label}.away`);
    writeFileSync(label, 'no volume');
    const { code } = await fresh(at('deep/er'));
    renameSync(`${label}.away`, label);
    expect([code, existsSync(at('deep'))]).toEqual([3, false]);
  });
});

describe('--init', () => {
  it(
    'is kept from the first moment: a run whose device is lost, or which is stopped, before its first iteration goes on from those ' +
      'weights',
    async () => {
      const init = checkpointPath(at('alone'), 'final');
      expect(await fresh(at('from weights'), '--init', init)).toMatchObject({ code: 0 });
      const { state } = await readCheckpoint(checkpointPath(at('from weights'), 'final'));
      expect(state.init).toEqual({ file: init, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });

      let losses = 0;
      const again = await verb(['train', data, '--run', at('lost'), '--plan', plan, '--init', init], (text) => {
        if (text.startsWith('compiling') && losses++ === 0) currentDevice().gpu.destroy();
      });
      expect([again.code, losses > 0]).toEqual([0, true]);
      expect(await weights(at('lost'))).toEqual(await weights(at('from weights')));
      expect((await readCheckpoint(checkpointPath(at('lost'), 'final'))).state.init).toEqual(state.init);
    },
  );

  it('weights that no iteration has trained make no masks', async () => {
    let stopped = false;
    const { code } = await verb(['train', data, '--run', at('untrained'), '--plan', plan], (text) => {
      if (text.startsWith('compiling') && !stopped) {
        stopped = true;
        process.emit('SIGINT');
      }
    });
    expect(code).toBe(0);
    const {
      state: { iteration },
    } = await readCheckpoint(checkpointPath(at('untrained'), 'latest'));
    if (iteration > 0) return; // the signal came late
    const { code: refused, err } = await verb(['predict', '-i', join(data, 'imagesTs'), '-o', at('masks'), '--run', at('untrained')]);
    expect([refused, err]).toEqual([3, expect.stringMatching(/latest\.safetensors: no iteration has been trained/)]);
    expect(existsSync(at('masks'))).toBe(false);
  });
});

describe('the command printed for going on', () => {
  it('is read back by a shell word for word', () => {
    const words = [
      'läufe/run 1',
      "it's",
      '"quoted"',
      '$HOME `id` !x',
      'two\nlines',
      'tab\tesc\u001b[2J',
      '',
      '-dash',
      '*?[a]{b,c}~#;&|<>()\\',
      '\u200fmark',
    ];
    const { stdout, status } = spawnSync('bash', ['-c', `voxelgrad() { printf '%s\\0' "$@"; }\n${commandLine(words)}`], {
      encoding: 'utf8',
    });
    expect([status, stdout.split('\0').slice(0, -1)]).toEqual([0, words]);
    expect(commandLine(['train', 'a/b_c.d', '--run', 'run-1', '--resume'])).toBe('voxelgrad train a/b_c.d --run run-1 --resume');
  });
});
