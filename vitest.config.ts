// SPDX-License-Identifier: MIT
import { defineConfig } from 'vitest/config';

// `--mode full` (npm run test:full) runs what takes longer than a few seconds, and nothing else.
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'full' ? ['test/**/*.full.test.ts'] : ['test/**/*.test.ts'],
    exclude: mode === 'full' ? [] : ['test/**/*.full.test.ts'],
    globalSetup: ['test/global-setup.ts'],
    // A process a file: a driver that crashes takes one file with it, and device memory goes back when the file ends.
    pool: 'forks',
    // Software adapters compute on the same cores as the tests: more workers only make each other late.
    maxWorkers: 2,
    // Limits are for what hangs, never a bound of work: shaders may have to be compiled, and others may have the cores. No test sets its
    // own.
    testTimeout: mode === 'full' ? 3_600_000 : 1_200_000,
    hookTimeout: mode === 'full' ? 3_600_000 : 1_200_000,
    reporters: ['default', './test/skip_reporter.ts'],
  },
}));
