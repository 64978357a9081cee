// SPDX-License-Identifier: MIT
// Where text goes.
import { fstatSync, writeSync } from 'node:fs';

/** The tests bring their own. */
export interface Output {
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Node takes a short write into a file (a disk that fills up) for a whole one: the rest would be missing without a word. */
function writeWhole(text: string): void {
  if (!fstatSync(1).isFile()) {
    process.stdout.write(text);
    return;
  }
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
  } catch (error) {
    process.stdout.emit('error', error);
  }
}

export const processOutput: Output = {
  stdout: writeWhole,
  stderr: (text) => {
    process.stderr.write(text);
  },
};
