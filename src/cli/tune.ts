// SPDX-License-Identifier: MIT
// voxelgrad tune: which tile of which kernel family computes the products of a plan soonest on this adapter.
import { Option, type Command } from 'commander';
import { openDevice } from '../gpu/device.ts';
import { tuneShape, type Tuned } from '../ops/tune.ts';
import { shapeClasses } from '../train/cost.ts';
import { METHODS } from '../methods/methods.ts';
import { PRESETS, type Preset } from '../methods/plan.ts';
import { presetPlan } from '../train/presets.ts';
import { assertOneSource, readPlanFile } from './plan_file.ts';
import { table } from './text.ts';
import { rememberTiles, tunedTilesFile } from './tuned_tiles.ts';
import type { Outcome, Verb } from './verb.ts';

interface Options {
  readonly plan?: string;
  readonly preset?: Preset;
  readonly method?: string;
}

const faster = ({ ms, builtInMs }: Tuned): string => `${(builtInMs / ms).toFixed(2)}x`;

export const tune: Verb = {
  configure: (command: Command) => {
    command
      .addOption(new Option('--preset <name>', 'networks whose products are timed (default: tiny)').choices([...PRESETS]))
      .addOption(new Option('--method <name>', 'whose networks they are (default: sanet)').choices(Object.keys(METHODS)))
      .option('--plan <file>', 'the networks of a plan instead')
      .addHelpText(
        'after',
        `\nTimes the kernels' tiles on this adapter, each checked against the built-in one, and keeps the faster ones in\n` +
          `${tunedTilesFile()}. Later runs of train, label and predict take them;\na run keeps the tiles that it was begun with. Let ` +
          'nothing else run meanwhile.',
      );
  },
  async run(_, options: Options, context): Promise<Outcome> {
    assertOneSource(options);
    const plan = options.plan === undefined ? presetPlan(options.preset ?? 'tiny', options.method ?? 'sanet') : readPlanFile(options.plan);
    using probe = await openDevice();
    const { info, caps } = probe;
    probe.close();
    const shapes = await shapeClasses(plan, caps);
    using device = await openDevice();
    const rows: Tuned[] = [];
    for (const [i, shape] of shapes.entries()) {
      rows.push(await tuneShape(shape));
      device.trim();
      if ((i + 1) % 10 === 0) context.note(`${i + 1} of ${shapes.length} shape classes`);
    }
    rememberTiles(info, Object.fromEntries(rows.map(({ shape, tile }) => [shape, tile])));
    const changed = rows.filter(({ tile, builtIn }) => tile !== builtIn);
    const lines =
      changed.length === 0
        ? []
        : [
            table(
              ['products', 'built in', 'ms', 'tuned', 'ms', 'faster'],
              changed.map((row) => [row.shape, row.builtIn, row.builtInMs.toFixed(2), row.tile, row.ms.toFixed(2), faster(row)]),
            ),
          ];
    return {
      text: [
        ...lines,
        `${info.name}: ${changed.length} of ${rows.length} shape classes get another tile than the built-in one. Kept in ` +
          tunedTilesFile(),
      ].join('\n'),
      json: { adapter: info, file: tunedTilesFile(), rows },
    };
  },
};
