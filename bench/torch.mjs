// SPDX-License-Identifier: MIT
// Times of PyTorch, from a python that has it. Context, never a peer: it does not run on the WebGPU adapter.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** One call of torch_cases.py. `options`: device, dtype, tf32, compile. @returns rows { case, pass, ms } */
export function torchRows(python, cases, options = {}) {
  const request = JSON.stringify({ cases, ...options });
  const text = execFileSync(python, [join(import.meta.dirname, 'torch_cases.py')], {
    input: request,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

export const torchTimes = (python, c, pass) => torchRows(python, [{ ...c, passes: [pass] }])[0]?.ms ?? null;

/** Milliseconds of a training iteration of the oracle's modules: torch_sanet.py. @returns { ms, torch } */
export function torchIteration(python, request) {
  return JSON.parse(
    execFileSync(python, [join(import.meta.dirname, 'torch_sanet.py')], {
      input: JSON.stringify(request),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
}
