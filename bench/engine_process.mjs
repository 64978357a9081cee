// SPDX-License-Identifier: MIT
// A worker process seen from run.mjs.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { EngineChannel } from './engine_channel.mjs';

export class EngineProcess extends EngineChannel {
  #child;
  #clock;

  constructor(name, clock) {
    super(name);
    this.#clock = clock;
  }

  begin() {
    // A shader cache would make the first step of the second engine, or of the second run, look better than it is.
    this.#child = fork(join(import.meta.dirname, 'worker.mjs'), [this.name, this.#clock], {
      env: { ...process.env, MESA_SHADER_CACHE_DISABLE: 'true' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.stderr = '';
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr = (this.stderr + text).slice(-4000);
    });
  }

  send(message, answered, failed, signal) {
    const child = this.#child;
    const onExit = (code, how) => failed(`process ended (${how ?? code})`);
    child.on('message', answered).on('exit', onExit);
    signal.addEventListener('abort', () => child.off('message', answered).off('exit', onExit));
    child.send(message);
  }

  close() {
    this.#child.kill('SIGKILL');
  }
}
