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
    // The first dispatch of a kernel compiles it, which takes a software adapter up to seconds.
    testTimeout: mode === 'full' ? 1_800_000 : 120_000,
    hookTimeout: mode === 'full' ? 600_000 : 120_000,
  },
}));
