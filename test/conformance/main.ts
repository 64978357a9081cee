// SPDX-License-Identifier: MIT
// npm run conformance -- DIR: every ONNX backend case below DIR through the engine's public ops.
import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { openDevice } from '../../src/gpu/device.ts';
import { findCases, runCase } from './cases.ts';

const WHERE = 'Get one: git clone --depth 1 --branch v1.19.0 https://github.com/onnx/onnx, then onnx/onnx/backend/test/data.';

/** Exit code: 0, 1 where a case failed, 2 where there is nothing to run. */
export async function main(args: readonly string[], print: (line: string) => void): Promise<number> {
  const dir = resolve(args[0] ?? '../shared/onnx-cases');
  const cases = existsSync(dir) ? findCases(dir) : [];
  if (cases.length === 0) {
    print(`conformance: ${existsSync(dir) ? 'no case (a folder with model.onnx) below' : 'no folder'} ${dir}. ${WHERE}`);
    return 2;
  }
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const reasons = new Map<string, number>();
  const device = await openDevice();
  try {
    for (const path of cases) {
      const { status, why } = await runCase(path);
      counts[status]++;
      if (status !== 'passed') print(`${status.padEnd(7)} ${relative(dir, path) || path}: ${why}`);
      if (status === 'skipped') reasons.set(why, (reasons.get(why) ?? 0) + 1);
    }
  } finally {
    device.close();
  }
  if (reasons.size > 0) print('\nskipped because of');
  for (const [why, count] of [...reasons].sort((a, b) => b[1] - a[1])) print(`${String(count).padStart(5)}  ${why}`);
  print(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed > 0 ? 1 : 0;
}
