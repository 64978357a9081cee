// SPDX-License-Identifier: MIT
// The whole way of a method through the loop: trained, stopped, resumed to the same bits, predicted, evaluated, reported.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { openDataset } from '../../src/io/node/dataset/open.ts';
import { readCheckpoint } from '../../src/io/node/run/checkpoint.ts';
import { checkpointPath } from '../../src/io/node/run/folder.ts';
import { evaluateRun } from '../../src/io/node/run/evaluate.ts';
import { readLog } from '../../src/io/node/run/log.ts';
import { train } from '../../src/io/node/run/train.ts';
import { methodOf } from '../../src/methods/methods.ts';
import type { Plan } from '../../src/methods/plan.ts';
import { parsePlan } from '../../src/train/plan.ts';
import { presetPlan } from '../../src/train/presets.ts';
import { scratch } from '../data/helpers.ts';
import { tinyDataset, writePlan } from '../train/tiny_run.ts';
import { voxelgrad } from '../cli/voxelgrad.ts';

/** Two volumes an iteration, six iterations of `demo`. */
export function smallPlan(method: string, change: (plan: any) => void = () => {}): Plan {
  const plan = presetPlan('demo', method);
  plan.classes = ['background', 'nodule'];
  plan.data.roi = [16, 32, 32];
  plan.data.jitter = [1, 2, 2];
  Object.assign(plan.training, { iterations: 6, selections: 1, checkpointEvery: 3, batch: 2 });
  change(plan);
  return parsePlan(JSON.parse(JSON.stringify(plan)));
}

export function wholeWay(methods: readonly (readonly [string, (plan: any) => void])[]): void {
  const root = scratch();
  const data = join(root, 'data');
  let dataset: Dataset;
  beforeAll(async () => {
    await tinyDataset(data);
    dataset = await openDataset(data);
  });

  async function session(
    folder: string,
    plan: Plan,
    options: { resume?: boolean; until?: number } = {},
  ): Promise<Map<string, ArrayLike<number>>> {
    using _device = await openDevice();
    const stop = new AbortController();
    const { finished } = await train({
      plan,
      dataset,
      folder,
      resume: options.resume ?? false,
      signal: stop.signal,
      onProgress: ({ stage, done }) => {
        if (stage === 'train' && done === options.until) stop.abort();
      },
    });
    const { tensors } = await readCheckpoint(checkpointPath(folder, finished ? 'final' : 'latest'));
    return new Map([...tensors].map(([name, { data: values }]) => [name, values as ArrayLike<number>]));
  }

  describe.each(methods)('%s', (method, change) => {
    const plan = smallPlan(method, change);
    const names = Object.keys(methodOf(plan).networks(plan));
    const at = (name: string): string => join(root, method, name);
    it('resumes to the same bits, dropout included, two volumes in one tensor', async () => {
      const alone = await session(at('alone'), plan);
      await session(at('stopped'), plan, { until: 2 });
      expect(await session(at('stopped'), plan, { resume: true })).toEqual(alone);
      const rows = readLog(at('alone')).filter((row) => row.loss);
      expect(rows.map(({ loss, norm, lr }) => [loss, norm, lr].map((each) => Object.keys(each!).join()))).toEqual(
        rows.map(() => Array(3).fill(names.join())),
      );
      for (const name of names) expect(rows.at(-1)!.loss![name], name).toBeLessThan(rows[0].loss![name]);
    });

    it('predicts, is evaluated and reported by its name', async () => {
      const run = async (...argv: string[]): Promise<string> => {
        const { code, out, err } = await voxelgrad(argv);
        expect(code, err).toBe(0);
        return out + err;
      };
      await run('train', data, '--run', at('run'), '--plan', writePlan(root, plan, `${method}.json`));
      await run('predict', '-i', join(data, 'imagesTs'), '-o', at('masks'), '--run', at('run'));
      expect(names.filter((name) => !existsSync(at(`masks/${name}`)))).toEqual([]);
      await run('eval', data, at('masks'));
      await run('report', at('run'), '--data', data);
      expect(readFileSync(at('run/report.html'), 'utf8')).toContain(names[0]);
      // In memory the same.
      using _device = await openDevice();
      const { evaluated, foreground, metric_per_case } = await evaluateRun({ folder: at('run'), dataset });
      const files = JSON.parse(readFileSync(at('masks/summary.json'), 'utf8'));
      expect(foreground).toEqual(files.foreground);
      expect(metric_per_case.map((c) => [c.case, c.metrics])).toEqual(files.metric_per_case.map((c: any) => [c.case, c.metrics]));
      expect(metric_per_case.map((c) => c.reference_digest)).toEqual(files.metric_per_case.map((c: any) => c.reference_digest));
      expect([evaluated!.cases, evaluated!.n_cases]).toEqual(['held out', dataset.test.length]);
      await expect(evaluateRun({ folder: at('run'), dataset, cases: dataset.training })).rejects.toThrow(/trained on/);
    });
  });
}
