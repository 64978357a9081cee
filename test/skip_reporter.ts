// SPDX-License-Identifier: MIT
// The last lines of a run: which tests were skipped, and why.
import type { Reporter, TestModule } from 'vitest/node';

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const reasons = new Map<string, { count: number; files: Set<string> }>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const reason = result.state === 'skipped' ? result.note : undefined;
        if (reason === undefined) continue; // left out by the command line: in a test, limits.test.ts asks for a reason
        const entry = reasons.get(reason) ?? { count: 0, files: new Set() };
        reasons.set(reason, entry);
        entry.count++;
        entry.files.add(module.relativeModuleId);
      }
    }
    for (const [reason, { count, files }] of [...reasons].sort(([a], [b]) => (a < b ? -1 : 1)))
      console.log(`skipped: ${count} test${count === 1 ? '' : 's'}, ${reason} (${[...files].join(', ')})`);
  }
}
