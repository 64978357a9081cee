// SPDX-License-Identifier: MIT
// What `npm run lidc` is asked for, checked before anything is imported or trained: what would change nothing is refused, for its runs
// would be taken for what was meant.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SUITES } from './suites.mjs';

const ONE = { type: 'string' };
const OPTIONS = {
  source: ONE,
  out: ONE,
  preset: { type: 'string', default: 'tiny' },
  iterations: ONE,
  only: ONE,
  suite: ONE,
  seeds: ONE,
  methods: ONE,
  set: { type: 'string', multiple: true },
  runs: ONE,
};

/** Options by name, numbers as such. @throws Error naming the option that is wrong, or that nothing heeds */
export function readOptions(argv) {
  const { values } = parseArgs({ args: argv, options: OPTIONS });
  const { suite } = values;
  if (suite !== undefined && !SUITES.includes(suite)) throw new Error(`--suite: got ${suite}, expected ${SUITES.join(', ')}.`);
  for (const name of ['iterations', 'seeds', 'runs']) {
    if (values[name] === undefined) continue;
    const n = Number(values[name]);
    if (!Number.isInteger(n) || n < 1) throw new Error(`--${name}: got ${values[name]}, expected a whole number above 0.`);
    values[name] = n;
  }
  const idle = (suite === undefined ? ['seeds', 'methods', 'set', 'runs'] : ['only', ...(suite === 'table1' ? [] : ['methods'])]).find(
    (name) => values[name] !== undefined,
  );
  if (idle !== undefined)
    throw new Error(
      `--${idle}: got ${values[idle]} ${suite === undefined ? 'without --suite' : `with --suite ${suite}`}, which it does not change.`,
    );
  return values;
}

/** @throws Error where one of the runs that are there, whose results would stand in the table, has another preset or length */
export function assertRuns(out, names, { preset, iterations }) {
  for (const name of names) {
    const file = join(out, name, 'plan.json');
    if (!existsSync(file)) continue;
    const plan = JSON.parse(readFileSync(file, 'utf8'));
    if (plan.preset !== preset || plan.training.iterations !== iterations)
      throw new Error(
        `${file}: a run of ${plan.preset}, ${plan.training.iterations} iterations, expected ${preset}, ${iterations}. Ask for those ` +
          '(--preset, --iterations), move the run away, or name another --out.',
      );
  }
}

/** @throws Error where the data that are there came from another place than the one named */
export function assertSource(file, source) {
  const before = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  if (source !== undefined && before !== undefined && before !== source)
    throw new Error(`--source: got ${source}, but the data there were imported from ${before}. Leave it out, or name another --out.`);
}
