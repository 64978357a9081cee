// SPDX-License-Identifier: MIT
// Chromium driven over its debugging pipe, on the studio's files as `voxelgrad studio` serves them: tabs opened, closed in the middle of
// work, asked. The page is the worker alone (page.ts), without the interface.
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { serveStudio, type Served } from '../../src/cli/studio_server.ts';
import type { Tools } from './page.ts';
import { Pipe } from './pipe.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

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
  const pipe = new Pipe(),
    origin = served.url.slice(0, -1);
  let last: string | undefined;
  return {
    url: served.url,
    async open(path = 'test.html') {
      const { targetId, sessionId } = await pipe.tab(served.url + path);
      last = sessionId;
      const evaluate = async (expression: string): Promise<unknown> => {
        const { result, exceptionDetails } = await pipe.send(
          'Runtime.evaluate',
          { expression, awaitPromise: true, returnByValue: true },
          sessionId,
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
      await pipe[Symbol.asyncDispose]();
      await served[Symbol.asyncDispose]();
    },
  };
}
