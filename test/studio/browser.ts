// SPDX-License-Identifier: MIT
// Chromium driven over its debugging pipe, on the studio's files as `voxelgrad studio` serves them: tabs opened, closed in the middle of work,
// asked. The page is the worker alone (page.ts), without the interface.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { serveStudio, type Served } from '../../src/cli/studio_server.ts';
import { chromium, FLAGS } from '../browser/chromium.ts';
import type { Tools } from './page.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

type Answer = { id?: number; result?: any; error?: { message: string } };

class Pipe {
  private readonly out: Writable;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private count = 0;
  private rest = '';

  constructor(process: ChildProcess) {
    this.out = process.stdio[3] as Writable;
    (process.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (this.rest + text).split('\0');
      this.rest = messages.pop()!;
      for (const message of messages) {
        const answer = JSON.parse(message) as Answer;
        if (answer.id !== undefined) this.waiting.get(answer.id)?.(answer);
      }
    });
    process.once('exit', () => {
      for (const tell of this.waiting.values()) tell({ error: { message: 'chromium ended' } });
    });
  }

  async send(method: string, params: object = {}, sessionId?: string): Promise<any> {
    const id = ++this.count;
    const answer = await new Promise<Answer>((resolve) => {
      this.waiting.set(id, resolve);
      this.out.write(`${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`);
    });
    this.waiting.delete(id);
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
  }
}

/** A tab with page.ts in it. */
export interface Tab {
  /** Runs `work` in the page, with its tools. What it returns is JSON. */
  ask<A extends unknown[], T>(work: (tools: Tools, ...values: A) => Promise<T>, ...values: A): Promise<T>;
  close(): Promise<void>;
}

export interface Browser extends AsyncDisposable {
  readonly url: string;
  open(path?: string): Promise<Tab>;
  /** The server is there no more. */
  offline(): Promise<void>;
  /** Bytes that the origin may keep. */
  quota(bytes: number): Promise<void>;
}

/** `built`: a folder with dist/studio, as `bundled` makes it. */
export async function openBrowser(built: string, folder?: string): Promise<Browser> {
  const page = mkdtempSync(join(built, 'page-'));
  cpSync(join(built, 'dist/studio'), page, { recursive: true });
  writeFileSync(
    join(page, 'test.html'),
    '<!doctype html><meta charset="utf-8"><title>test</title><script type="module" src="test.js"></script>',
  );
  writeFileSync(join(page, 'hooked.js'), "import './hooks.js';\nimport './worker.js';\n");
  await build({
    entryPoints: { test: join(here, 'page.ts'), hooks: join(here, 'hooks.ts') },
    outdir: page,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
  });
  const served: Served = await serveStudio({ page, port: 0, ...(folder !== undefined && { folder }) });
  // The browser brings a driver of its own, which a driver chosen for Node through the environment would hide.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VK_')));
  const browser = spawn(chromium!, [...FLAGS, '--remote-debugging-pipe', `--user-data-dir=${mkdtempSync(join(built, 'profile-'))}`], {
    env,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const gone = once(browser, 'exit'),
    pipe = new Pipe(browser),
    origin = served.url.slice(0, -1);
  let last: string | undefined;
  return {
    url: served.url,
    async open(path = 'test.html') {
      const { targetId } = await pipe.send('Target.createTarget', { url: served.url + path });
      const { sessionId } = await pipe.send('Target.attachToTarget', { targetId, flatten: true });
      last = sessionId as string;
      const evaluate = async (expression: string): Promise<unknown> => {
        const { result, exceptionDetails } = await pipe.send(
          'Runtime.evaluate',
          { expression, awaitPromise: true, returnByValue: true },
          sessionId as string,
        );
        if (exceptionDetails)
          throw new Error(exceptionDetails.exception?.description ?? JSON.stringify(exceptionDetails.exception?.value ?? exceptionDetails));
        return result.value;
      };
      for (
        let tries = 0;
        path === 'test.html' && !(await evaluate('location.href !== "about:blank" && "tools" in globalThis').catch(() => false));
        tries++
      ) {
        if (tries > 200) throw new Error('the page did not load');
        await new Promise((later) => setTimeout(later, 100));
      }
      return {
        ask: async (work, ...values) => (await evaluate(`(${String(work)})(globalThis.tools, ...${JSON.stringify(values)})`)) as never,
        close: async () => {
          await pipe.send('Target.closeTarget', { targetId });
        },
      };
    },
    async offline() {
      await served[Symbol.asyncDispose]();
    },
    async quota(bytes) {
      await pipe.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: bytes }, last);
    },
    async [Symbol.asyncDispose]() {
      browser.kill();
      await gone;
      await served[Symbol.asyncDispose]();
    },
  };
}
