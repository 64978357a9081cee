// SPDX-License-Identifier: MIT
// An engine behind a process or a worker, seen from who times it: questions with a time limit; what dies or is too slow is replaced.

export class EngineChannel {
  #open = false;

  constructor(name) {
    this.name = name;
  }

  /** @returns the engine's answer, or { ok: false, error } */
  async ask(type, request = {}, seconds = 120) {
    if (!this.#open) {
      this.begin();
      this.#open = true;
      const opened = await this.#exchange('open', {}, 120);
      if (!opened.ok) {
        this.end();
        return opened;
      }
      Object.assign(this, { adapter: opened.adapter, driver: opened.driver });
    }
    return type === 'open' ? { ok: true } : this.#exchange(type, request, seconds);
  }

  #exchange(type, request, seconds) {
    return new Promise((resolve) => {
      const listening = new AbortController();
      const done = (answer, dead) => {
        clearTimeout(timer);
        listening.abort();
        if (dead) this.end();
        resolve(answer);
      };
      const failed = (error) => done({ ok: false, error }, true);
      const timer = setTimeout(() => failed(`no answer within ${seconds} s`), seconds * 1000);
      this.send({ type, ...request }, (answer) => done(answer, false), failed, listening.signal);
    });
  }

  /** Subclasses have begin(), close() and send(message, answered, failed, signal), which stops listening when the signal comes. */
  end() {
    if (this.#open) this.close();
    this.#open = false;
  }
}
