// SPDX-License-Identifier: MIT
// A worker of the page seen from main.mjs.
import { EngineChannel } from '../engine_channel.mjs';

export class EngineWorker extends EngineChannel {
  #worker;
  #asked = 0;

  begin() {
    this.#worker = new Worker(`worker.js?engine=${this.name}`, { type: 'module' });
  }

  send(message, answered, failed, signal) {
    const id = ++this.#asked;
    this.#worker.addEventListener('message', ({ data }) => data.id === id && answered(data), { signal });
    this.#worker.addEventListener('error', (e) => failed(e.message || 'its program does not load'), { signal });
    this.#worker.postMessage({ id, ...message }, {});
  }

  close() {
    this.#worker.terminate();
  }
}
