// SPDX-License-Identifier: MIT
// One piece of work after another: the device that was opened last is the current one, so nothing else may open one meanwhile.

export class Queue {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work, work);
    this.last = next.catch(() => undefined);
    return next;
  }
}
