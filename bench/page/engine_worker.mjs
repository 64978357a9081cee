// SPDX-License-Identifier: MIT
// A worker of the page seen from main.mjs: questions with a time limit; one that is too slow is replaced.

export class EngineWorker {
  #worker = null;
  #asked = 0;

  constructor(name) {
    this.name = name;
  }

  /** @returns the worker's answer, or { ok: false, error } */
  async ask(type, request = {}, seconds = 120) {
    if (!this.#worker) {
      this.#worker = new Worker(`worker.js?engine=${this.name}`, { type: 'module' });
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
    const worker = this.#worker;
    const id = ++this.#asked;
    return new Promise((resolve) => {
      const listening = new AbortController();
      const done = (answer, dead) => {
        clearTimeout(timer);
        listening.abort();
        if (dead) this.end();
        resolve(answer);
      };
      const timer = setTimeout(() => done({ ok: false, error: `no answer within ${seconds} s` }, true), seconds * 1000);
      worker.addEventListener('message', ({ data }) => data.id === id && done(data, false), listening);
      worker.addEventListener('error', (e) => done({ ok: false, error: e.message || 'its program does not load' }, true), listening);
      worker.postMessage({ id, type, ...request }, {});
    });
  }

  end() {
    this.#worker?.terminate();
    this.#worker = null;
  }
}
