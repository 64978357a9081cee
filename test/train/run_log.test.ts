// SPDX-License-Identifier: MIT
// log.jsonl and TensorBoard's file say the same, also after a run was killed and went on from an older checkpoint.
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readLog, RunLog } from '../../src/io/node/run/log.ts';
import { type LogEntry } from '../../src/train/run_log.ts';
import { scratch } from '../data/helpers.ts';
import { scalars } from '../formats/events.ts';

const root = scratch();

/** What the event files of a run show: tag, step, value. */
const shown = (folder: string): [string, number, number][] =>
  readdirSync(join(folder, 'tb'))
    .sort()
    .flatMap((file) => scalars(readFileSync(join(folder, 'tb', file))))
    .map(({ tag, step, value }) => [tag, step, value]);

/** The same, as log.jsonl has it. */
function logged(folder: string): [string, number, number][] {
  return readLog(folder).flatMap(({ iteration, time: _time, ...groups }: LogEntry) =>
    Object.entries(groups).flatMap(([group, values]): [string, number, number][] => {
      if (typeof values === 'number') return [[group, iteration, Math.fround(values)]];
      return typeof values === 'object'
        ? Object.entries(values as Record<string, number>).map(([name, v]) => [`${group}/${name}`, iteration, Math.fround(v)])
        : [];
    }),
  );
}

describe('the log of a run', () => {
  it('drops what came after the checkpoint, in both places, and goes on', () => {
    const folder = join(root, 'killed');
    {
      using log = new RunLog(folder, 0, 'a1');
      for (const iteration of [1, 2, 3, 4, 5]) log.write({ iteration, loss: { sam: 1 / iteration, coronal: 2 }, lambda: 0.5 });
      log.write({ iteration: 4, dice: { sam: 0.25 } });
    }
    appendFileSync(join(folder, 'log.jsonl'), '{"iteration":6,"loss":{"sa'); // cut by the kill
    {
      using log = new RunLog(folder, 4, 'a1');
      log.write({ iteration: 4, resumed: true });
      log.write({ iteration: 5, loss: { sam: 7 } });
      // Readable while the run goes on, too.
      expect(shown(folder)).toEqual(logged(folder));
    }
    expect(readLog(folder).map((e) => e.iteration)).toEqual([1, 2, 3, 4, 4, 4, 5]);
    expect(shown(folder).filter(([tag]) => tag === 'loss/sam')).toEqual(
      [1, 1 / 2, 1 / 3, 1 / 4, 7].map((v, i) => ['loss/sam', i + 1, Math.fround(v)]),
    );
    expect(readdirSync(join(folder, 'tb'))).toHaveLength(1);
  });

  it('keeps the time of entries that it shows again', () => {
    const folder = join(root, 'times');
    {
      using log = new RunLog(folder, 0, 'a1');
      log.write({ iteration: 1, lambda: 1 });
    }
    const [{ time }] = readLog(folder) as [LogEntry];
    {
      using _log = new RunLog(folder, 1, 'a1');
    }
    const [file] = readdirSync(join(folder, 'tb'));
    expect(scalars(readFileSync(join(folder, 'tb', file)))[0].time).toBe(time);
  });

  it('is not written through a link', () => {
    const [folder, elsewhere] = [join(root, 'linked'), join(root, 'elsewhere.jsonl')];
    mkdirSync(folder);
    symlinkSync(elsewhere, join(folder, 'log.jsonl'));
    {
      using log = new RunLog(folder, 0, 'a1');
      log.write({ iteration: 1, lambda: 1 });
    }
    expect(existsSync(elsewhere)).toBe(false);
    expect(readLog(folder)).toHaveLength(1);
  });

  it('leaves files of others alone', () => {
    const folder = join(root, 'others');
    {
      using _log = new RunLog(folder, 0, 'a1');
    }
    writeFileSync(join(folder, 'tb', 'notes.txt'), 'mine');
    {
      using _log = new RunLog(folder, 0, 'a1');
    }
    expect(readdirSync(join(folder, 'tb'))).toContain('notes.txt');
  });

  it('replaces its own files alone where several runs show theirs in one folder', () => {
    const [one, two, shared] = ['one', 'two', 'shared'].map((name) => join(root, name)) as [string, string, string];
    for (const each of [one, two, shared]) mkdirSync(each);
    const old = 'events.out.tfevents.1700000000.host.77.voxelgrad'; // as they were once called, of whatever run
    writeFileSync(join(shared, old), 'old');
    for (const each of [one, two]) symlinkSync(shared, join(each, 'tb'));
    {
      using log = new RunLog(one, 0, 'one');
      log.write({ iteration: 1, lambda: 1 });
    }
    const [, first] = readdirSync(shared).sort();
    for (let session = 0; session < 2; session++) {
      using log = new RunLog(two, session, 'two');
      log.write({ iteration: 1, lambda: 2 });
    }
    expect(readdirSync(shared).sort()).toEqual([old, first, expect.stringMatching(/run-two\.voxelgrad$/)]);
    expect(scalars(readFileSync(join(shared, first)))).toHaveLength(1);
  });
});
