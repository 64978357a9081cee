// SPDX-License-Identifier: MIT
// How far training is: a bar with the time left on a terminal, plain lines in a pipe.
import { SingleBar } from 'cli-progress';
import type { Progress } from '../train/loop.ts';
import { timeLeft } from './text.ts';
import type { Context } from './verb.ts';

const losses = ({ loss }: Progress): string =>
  Object.entries(loss ?? {})
    .map(([name, v]) => `${name} ${v.toFixed(3)}`)
    .join('  ');
const scores = ({ dice }: Progress): string =>
  Object.entries(dice ?? {})
    .map(([name, v]) => `${name} ${(100 * v).toFixed(1)} %`)
    .join('  ');

export function trainingProgress(context: Context): { update(p: Progress): void; end(): void } {
  const terminal = process.stderr.isTTY && !context.json;
  const bar = terminal
    ? new SingleBar({
        format: 'training {bar} {value}/{total}  {left}  {text}',
        stream: process.stderr,
        clearOnComplete: false,
        hideCursor: false,
      })
    : null;
  const leftOf = timeLeft(); // by the pace of this process, after its shaders were compiled
  let text = '';
  let compiled = 0;
  return {
    update(p) {
      if (p.stage === 'read') {
        if (p.done === p.total) context.note(`read ${p.total} cases`);
      } else if (p.stage === 'compile') {
        const tenth = Math.floor((4 * p.done) / p.total);
        if (tenth > compiled) context.note(`compiling kernels ${p.done}/${p.total}`);
        compiled = tenth;
      } else if (p.stage === 'validate') {
        context.note(`${bar ? '\n' : ''}iteration ${p.done}: validation Dice  ${scores(p)}`);
      } else {
        const left = leftOf(p.done, p.total);
        if (p.loss) text = losses(p);
        if (bar) {
          if (!bar.isActive) bar.start(p.total, p.done, { text, left });
          bar.setTotal(p.total);
          bar.update(p.done, { text, left });
        } else if (p.loss) {
          context.note(`iteration ${p.done}/${p.total}  ${text}${left && `  ${left}`}`);
        }
      }
    },
    end() {
      bar?.stop();
    },
  };
}
