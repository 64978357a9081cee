// SPDX-License-Identifier: MIT
// How far work over many cases is: a bar on a terminal, a line every tenth in a pipe.
import { SingleBar } from 'cli-progress';
import { printable } from '../errors.ts';
import { timeLeft } from './text.ts';
import type { Context } from './verb.ts';

export type Progress = (done: number, total: number, name: string) => void;

/** A callback for `onCase`. The bar removes itself when the last case is done. */
export function progress(title: string, context: Context): Progress {
  if (!process.stderr.isTTY || context.json) {
    let tenth = 0;
    return (done, total, name) => {
      const now = Math.floor((10 * done) / total);
      if (now > tenth) context.note(`${title} ${done}/${total} (${name})`);
      tenth = now;
    };
  }
  const bar = new SingleBar({
    format: `${title} {bar} {value}/{total} {name} {left}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: false,
  });
  const leftOf = timeLeft();
  return (done, total, name) => {
    const shown = { name: printable(name, 60), left: leftOf(done, total) };
    if (!bar.isActive) bar.start(total, 0, shown);
    bar.update(done, shown);
    if (done === total) bar.stop();
  };
}
