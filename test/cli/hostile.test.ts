// SPDX-License-Identifier: MIT
// Hostile input through the whole command line, one of each kind. (hostile_json.test.ts: some hundred of what is text.)
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readLog, RunLog } from '../../src/io/node/run/log.ts';
import { csvText } from '../../src/report/csv.ts';
import { cpuSeconds } from '../probe.ts';
import { scratch } from '../data/helpers.ts';
import { cli, world } from './hostile_json.ts';
import { posix } from '../needs.ts';

const root = scratch();
const at = (...parts: string[]): string => join(root, ...parts);
beforeAll(() => world(root));

/** A copy of the data set or the run, changed. */
let copies = 0;
function changed(what: 'data' | 'run', change: (folder: string) => void): string {
  const folder = at(`${what}${copies++}`);
  cpSync(at(what), folder, { recursive: true });
  change(folder);
  return folder;
}
const edited = (file: string, edit: (json: any) => void): void => {
  const json = JSON.parse(readFileSync(file, 'utf8'));
  edit(json);
  writeFileSync(file, JSON.stringify(json));
};
const fifo = (file: string): void => {
  rmSync(file, { force: true });
  expect(spawnSync('mkfifo', [file]).status).toBe(0);
};

describe('a FIFO where a file is expected is refused without being opened', () => {
  posix.it.each<[string, 'data' | 'run', string, (folder: string) => string[]]>([
    ['dataset.json', 'data', 'dataset.json', (f) => ['check', f]],
    ['annotations.json', 'data', 'annotations.json', (f) => ['check', f]],
    ['a scan', 'data', 'imagesTr/phantom_000_0000.nii.gz', (f) => ['check', f]],
    ['a mask', 'data', 'labelsTr/phantom_000.nii.gz', (f) => ['eval', at('data/labelsTr'), join(f, 'labelsTr'), '--out', at('out')]],
    ['a plan', 'run', 'plan.json', (f) => ['train', at('data'), '--run', at('out'), '--plan', join(f, 'plan.json')]],
    ["a run's plan", 'run', 'plan.json', (f) => ['report', f]],
    ["a run's record", 'run', 'run.json', (f) => ['report', f]],
    ['a summary', 'run', 'summary.json', (f) => ['report', f]],
    ['a log', 'run', 'log.jsonl', (f) => ['report', f]],
  ])('%s', async (_, what, file, argv) => {
    const folder = changed(what, (f) => fifo(join(f, file)));
    const { code, out, err } = await cli(...argv(folder));
    expect(`${err}${out}`).toMatch(new RegExp(`${file.split('/').at(-1)}: cannot be read, got a FIFO, expected a file`));
    expect(code).toBe(3);
    expect(existsSync(at('out'))).toBe(false);
  });
});

describe('links that lead to nothing are named', () => {
  it('a scan of git-annex that was not fetched', async () => {
    const folder = changed('data', (f) => {
      rmSync(join(f, 'imagesTr/phantom_000_0000.nii.gz'));
      symlinkSync('../.git/annex/objects/1X/Kk/SHA256E-s1--ab/SHA256E-s1--ab.nii.gz', join(f, 'imagesTr/phantom_000_0000.nii.gz'));
    });
    const { code, out } = await cli('check', folder);
    expect([code, out]).toEqual([
      3,
      expect.stringMatching(/phantom_000_0000\.nii\.gz: cannot be read, got a link to .*annex[^]*git annex get/),
    ]);
  });
});

describe('links in a data set or a run', () => {
  it.each<[string, 'data' | 'run', string, (folder: string) => string[]]>([
    ['plan', 'data', 'plan.json', (f) => ['plan', f, '--force']],
    ['sparsify', 'data', 'annotations.json', (f) => ['sparsify', f, '--mode', 'both', '--force']],
    ['report', 'run', 'report.html', (f) => ['report', f]],
    [
      'eval',
      'run',
      'metrics.csv',
      (f) => {
        rmSync(join(f, 'plan.json'));
        return ['eval', at('data/labelsTr'), at('data/labelsTr'), '--out', f];
      },
    ],
  ])('%s replaces a link in the place of its output and leaves its target alone', async (_, what, file, argv) => {
    const precious = at('precious');
    writeFileSync(precious, '{}');
    const folder = changed(what, (f) => {
      rmSync(join(f, file), { force: true });
      symlinkSync(precious, join(f, file));
    });
    const line = argv(folder);
    let result = await cli(...line);
    if (result.code === 2) result = await cli(...line.filter((word) => word !== '--force')); // not every verb has it
    expect(result).toMatchObject({ code: 0 });
    expect(readFileSync(precious, 'utf8')).toBe('{}');
    expect(readFileSync(join(folder, file), 'utf8')).not.toBe('{}');
  });
});

describe('logs', () => {
  const good = '{"iteration":1,"loss":{"sam":0.5}}';
  it.each<[string, string, RegExp]>([
    ['an iteration of text', '{"iteration":"1"}', /log\.jsonl: line 2: iteration: got "1", expected a whole number/],
    ['a loss of text', '{"iteration":1,"loss":{"sam":"0.5"}}', /line 2: loss\.sam: got "0\.5", expected a number/],
    ['a loss that is a list', '{"iteration":1,"loss":[1]}', /line 2: loss: got \[1\], expected numbers by name/],
    ['dice as a number', '{"iteration":1,"dice":0.5}', /line 2: dice: got 0\.5, expected numbers by name/],
    ['no object', '[1]', /line 2: entry: got \[1\], expected an object/],
    ['nesting without end', '{"a":'.repeat(1e5), /line 2: not JSON: nested more than 64 levels/],
    ['no JSON', '{"iteration":', /line 2: not JSON/],
    ['an entry resumed maybe', '{"iteration":1,"resumed":"no"}', /line 2: resumed: got "no", expected true or false/],
    ['a line without end', `"${'a'.repeat(3e6)}`, /a line of more than 1048576 bytes|not JSON/],
  ])('with %s are refused by line and field', async (_, line, message) => {
    const folder = changed('run', (f) => writeFileSync(join(f, 'log.jsonl'), `${good}\n${line}\n${good}\n`));
    const { code, err } = await cli('report', folder);
    expect(err).toMatch(message);
    expect(err.length).toBeLessThan(2000);
    expect([code, existsSync(join(folder, 'report.html'))]).toEqual([3, false]);
  });

  it('keep numbers that are none, in TensorBoard too', () => {
    const folder = at('diverged');
    {
      using log = new RunLog(folder, 0, 'test');
      log.write({ iteration: 1, loss: { sam: NaN } });
    }
    expect(readLog(folder)[0].loss).toEqual({ sam: NaN });
    {
      using _log = new RunLog(folder, 1, 'test');
    }
    expect(readLog(folder)[0].loss).toEqual({ sam: NaN });
  });

  it('of 300,000 iterations are drawn in seconds, and the figure says how', async () => {
    const folder = changed('run', (f) =>
      writeFileSync(
        join(f, 'log.jsonl'),
        Array.from(
          { length: 300_000 },
          (_, i) =>
            `{"iteration":${i + 1},"loss":{"sam":${1 / (i + 1)},"transverse":1,"coronal":${i === 299_999 ? null : 2}},` +
            `"lr":{"sam":0.001},"lambda":0.5,"seconds":${i}}\n`,
        ).join(''),
      ),
    );
    const begun = cpuSeconds();
    expect(await cli('report', folder)).toMatchObject({ code: 0, err: '' });
    expect(cpuSeconds() - begun).toBeLessThan(30); // it was minutes
    const html = readFileSync(join(folder, 'report.html'), 'utf8');
    expect(html).toMatch(/means of 1000 logged values in a row/);
    expect(html).toMatch(/1 value from iteration 300000 on is no number and not drawn/);
    expect(html.length).toBeLessThan(2e6);
  });
});

describe('fields of another type', () => {
  it.each<[string, string, (json: any) => void, RegExp]>([
    [
      'a summary without cases',
      'summary.json',
      (s) => {
        s.metric_per_case = {};
      },
      /summary\.json: not a summary that voxelgrad eval wrote: metric_per_case: got \{\}, expected a list/,
    ],
    [
      'a summary with a metric of text',
      'summary.json',
      (s) => {
        s.foreground.metrics.Dice.mean = '99';
      },
      /foreground\.metrics\.Dice\.mean: got "99", expected a number/,
    ],
    [
      'a summary of other settings',
      'summary.json',
      (s) => {
        s.settings = [];
      },
      /settings: got \[\], expected an object/,
    ],
    [
      'a record with stages of text',
      'run.json',
      (r) => {
        r.stages = 'long';
      },
      /run\.json: stages: got "long", expected a list/,
    ],
    [
      'a record with a stage without time',
      'run.json',
      (r) => {
        r.stages = [{ name: 'train' }];
      },
      /stages\.0\.seconds: got nothing, expected a number/,
    ],
    [
      'a record whose evaluations are numbers',
      'run.json',
      (r) => {
        r.evaluations = { headline: 3 };
      },
      /evaluations\.headline: got 3, expected a text/,
    ],
    [
      'a plan with a key of megabytes',
      'plan.json',
      (p) => {
        p['k'.repeat(5e6)] = 1;
      },
      /plan\.json: k+ \[\.\.\. \d+ characters \.\.\.\] k*: unknown field/,
    ],
    [
      'a plan with a hundred thousand unknown keys',
      'plan.json',
      (p) => {
        for (let i = 0; i < 1e5; i++) p[`k${i}`] = 1;
      },
      /plan\.json: 20 fields cannot be used/,
    ],
  ])('%s is refused by its name', async (_, file, edit, message) => {
    const folder = changed('run', (f) => edited(join(f, file), edit));
    const begun = cpuSeconds();
    const { code, err } = await cli('report', folder);
    expect(err).toMatch(message);
    expect([code, err.length < 6000, existsSync(join(folder, 'report.html'))]).toEqual([3, true, false]);
    expect(cpuSeconds() - begun).toBeLessThan(10);
  });
});

describe('names', () => {
  const ESC = '\u001b[2J\u001b[31m';
  it('of classes command no terminal', async () => {
    const folder = changed('data', (f) =>
      edited(join(f, 'dataset.json'), (d) => {
        d.labels = { background: 0, [`nodule${ESC}\nerror: forged`]: 1 };
      }),
    );
    const { code, out, err } = await cli('check', folder);
    expect(code).toBe(3);
    expect(out).toMatch(/labels, got the name "nodule\\\\?u001b/);
    expect(out + err).not.toMatch(/\u001b|^error: forged/m);
  });

  posix.it('of files command no terminal, in text and in JSON', async () => {
    const folder = changed('data', (f) => {
      renameSync(join(f, 'imagesTr/phantom_000_0000.nii.gz'), join(f, `imagesTr/${ESC}x\u009b_0000.nii.gz`));
      renameSync(join(f, 'labelsTr/phantom_000.nii.gz'), join(f, `labelsTr/${ESC}x\u009b.nii.gz`));
    });
    for (const argv of [
      ['check', folder],
      ['check', folder, '--json'],
      ['plan', folder, '--out', at('out')],
      ['sparsify', folder, '--mode', 'both', '--json'],
    ]) {
      const { out, err } = await cli(...argv);
      expect(out + err, argv.join(' ')).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f]/);
      if (argv.includes('--json')) expect(() => JSON.parse(out)).not.toThrow();
    }
    rmSync(at('out'), { force: true });
  });

  it('that spreadsheets would compute are texts in metrics.csv, and numbers stay numbers', async () => {
    expect(['case', '-5', '=1+1', '+1', '@SUM(A1)', '\t=1', '\r=1', ' =1', '＝1', 'a,b', 'a;=b', 'a"b', "o'b"].map(csvText)).toEqual([
      'case',
      '"\'-5"',
      '"\'=1+1"',
      '"\'+1"',
      '"\'@SUM(A1)"',
      '"\'\t=1"',
      '"\'\r=1"',
      '"\' =1"',
      '"\'＝1"',
      '"a,b"',
      '"a;=b"',
      '"a""b"',
      '"o\'b"',
    ]);
    const [name] = readdirSync(at('data/labelsTr'));
    const [reference, prediction] = [at('refs'), at('preds')];
    for (const folder of [reference, prediction]) {
      mkdirSync(folder);
      cpSync(at('data/labelsTr', name), join(folder, '=cmd()|x.nii.gz'));
      cpSync(at('data/labelsTr', name), join(folder, 'plain.nii.gz'));
    }
    const { code, err } = await cli('eval', reference, prediction, '--out', at('csv'));
    if (code !== 0) {
      expect(err).toMatch(/case name/);
      return;
    } // names that other systems cannot store may be refused altogether
    const lines = readFileSync(at('csv/metrics.csv'), 'utf8').split('\n');
    expect(lines.slice(1, 3).map((line) => line.split(',').slice(0, 3))).toEqual([
      ['"\'=cmd()|x"', '1', '1'],
      ['plain', '1', '1'],
    ]);
  });
});
