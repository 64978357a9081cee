// SPDX-License-Identifier: MIT
// A worker process seen from run.mjs: questions with a time limit; a worker that dies or is too slow is replaced.
import { fork } from 'node:child_process';
import { join } from 'node:path';

export class EngineProcess {
  #child = null;
  #clock;

  constructor(name, clock) {
    this.name = name;
    this.#clock = clock;
  }

  /** @returns the worker's answer, or { ok: false, error } */
  async ask(type, request = {}, seconds = 120) {
    if (!this.#child) {
      // A shader cache would make the first step of the second engine, or of the second run, look better than it is.
      this.#child = fork(join(import.meta.dirname, 'worker.mjs'), [this.name, this.#clock], {
        env: { ...process.env, MESA_SHADER_CACHE_DISABLE: 'true' },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      this.stderr = '';
      this.#child.stderr.setEncoding('utf8').on('data', (text) => {
        this.stderr = (this.stderr + text).slice(-4000);
      });
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
    const child = this.#child;
    return new Promise((resolve) => {
      const done = (answer, dead) => {
        clearTimeout(timer);
        child.off('message', onMessage).off('exit', onExit);
        if (dead) this.end();
        resolve(answer);
      };
      const onMessage = (answer) => done(answer, false);
      const onExit = (code, signal) => done({ ok: false, error: `process ended (${signal ?? code})` }, true);
      const timer = setTimeout(() => done({ ok: false, error: `no answer within ${seconds} s` }, true), seconds * 1000);
      child.on('message', onMessage).on('exit', onExit);
      child.send({ type, ...request });
    });
  }

  end() {
    this.#child?.kill('SIGKILL');
    this.#child = null;
  }
}
