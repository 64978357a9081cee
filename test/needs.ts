// SPDX-License-Identifier: MIT
// Tests that need what not every machine has: where it is missing they are skipped, and the summary says why.
import { describe, it } from 'vitest';

/** `it` and `describe` where `there`; elsewhere one skipped test in the place of each, with the reason. Nothing of its body runs. */
export function needs(there: unknown, what: string): { it: typeof it; describe: typeof describe } {
  if (there) return { it, describe };
  const skipped = (name: string): void => {
    it(name, ({ skip }) => skip(`needs ${what}`));
  };
  const instead = Object.assign(skipped, { each: () => skipped });
  return { it: instead as unknown as typeof it, describe: instead as unknown as typeof describe };
}

/** Named pipes, signals, control characters in file names. */
export const posix = needs(process.platform !== 'win32', 'a POSIX system');
export const linux = needs(process.platform === 'linux', 'Linux');
