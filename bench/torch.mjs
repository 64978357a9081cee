// SPDX-License-Identifier: MIT
// Times of PyTorch, from a python that has it. Context, never a peer: it does not run on the WebGPU adapter.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const CASES = join(import.meta.dirname, 'torch_cases.py');

/** PyTorch in a process of its own, which answers one case after another: what was answered is there, whatever comes of the next. */
export class TorchProcess {
  #child;
  #answers;

  constructor(python) {
    this.#child = spawn(python, [CASES], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.on('error', () => {}).stdin.on('error', () => {}); // it is not there, or has ended: then it has no answers
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** `options`: device, dtype, tf32. @returns { case, pass, ms, torch }, { problem }, or undefined where there is no PyTorch */
  async row(c, pass, options) {
    this.#child.stdin.write(`${JSON.stringify({ case: c, pass, ...options })}\n`);
    const { value } = await this.#answers.next();
    return value && JSON.parse(value);
  }

  end() {
    this.#child.kill('SIGKILL');
  }
}

/** Milliseconds on the processor, or null. */
export async function torchTime(python, c, pass) {
  const torch = new TorchProcess(python);
  const row = await torch.row(c, pass);
  torch.end();
  return row?.ms ?? null;
}

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
