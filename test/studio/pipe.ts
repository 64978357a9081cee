// SPDX-License-Identifier: MIT
// Chromium with its debugging protocol on a pipe. A call that it never answers because it ended is an error, not a wait.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { chromium, FLAGS } from '../browser/chromium.ts';

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: any;
  readonly result?: any;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
}

export class Pipe implements AsyncDisposable {
  private readonly browser: ChildProcess;
  private readonly profile: string;
  private readonly gone: Promise<unknown>;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private count = 0;
  /** Hears what Chromium says by itself, with the target it is about. */
  hear: (method: string, params: any, sessionId?: string) => void = () => {};

  constructor(flags: readonly string[] = []) {
    this.profile = mkdtempSync(join(tmpdir(), 'voxelgrad-studio-'));
    // The browser brings a driver of its own, which a driver chosen for Node through the environment would hide.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VK_')));
    this.browser = spawn(chromium!, [...FLAGS, ...flags, '--remote-debugging-pipe', `--user-data-dir=${this.profile}`, 'about:blank'], {
      env,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      detached: true, // its processes are a group, which can be ended
    });
    this.gone = once(this.browser, 'exit');
    let rest = '';
    (this.browser.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0');
      rest = messages.pop()!;
      for (const message of messages) {
        const answer = JSON.parse(message) as Answer;
        if (answer.id !== undefined) this.waiting.get(answer.id)?.(answer);
        else this.hear(answer.method!, answer.params, answer.sessionId);
      }
    });
    this.browser.once('exit', () => {
      for (const tell of this.waiting.values()) tell({ error: { message: 'chromium ended' } });
    });
  }

  /** @param sessionId the target that it is for; left out, the browser */
  async send(method: string, params: object = {}, sessionId?: string): Promise<any> {
    const id = ++this.count;
    const { error, result } = await new Promise<Answer>((resolve) => {
      if (this.browser.exitCode !== null || this.browser.signalCode !== null) return resolve({ error: { message: 'chromium ended' } });
      this.waiting.set(id, resolve);
      (this.browser.stdio[3] as Writable).write(
        `${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`,
      );
    });
    this.waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  /** A new tab, or the one that is there already. @returns its target, and the session by which it is spoken to */
  async tab(url?: string): Promise<{ targetId: string; sessionId: string }> {
    const { targetInfos } = await this.send('Target.getTargets');
    const { targetId } =
      (url === undefined && (targetInfos as { type: string; targetId: string }[]).find(({ type }) => type === 'page')) ||
      (await this.send('Target.createTarget', { url: url ?? 'about:blank' }));
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    return { targetId, sessionId };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.browser.kill();
    await this.gone;
    try {
      process.kill(-this.browser.pid!, 'SIGKILL'); // who outlives it on a busy machine writes into the profile
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  }
}
