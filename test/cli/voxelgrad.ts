// SPDX-License-Identifier: MIT
// One command line in this process: its exit code and what it printed.
import { main } from '../../src/cli/main.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `voxelgrad` with these arguments; `heard` gets each text that goes to the standard output, as it is printed. */
export async function voxelgrad(argv: readonly string[], heard: (text: string) => void = () => {}): Promise<Said> {
  let [out, err] = ['', ''];
  const code = await main(argv, {
    stdout: (text) => {
      out += text;
      heard(text);
    },
    stderr: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}
