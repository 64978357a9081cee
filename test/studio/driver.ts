// SPDX-License-Identifier: MIT
// Chromium driven as a person would: pointer and keys by its debugging protocol over a pipe. Every request it makes is noted.
import { once } from 'node:events';
import { readFileSync, existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { Pipe } from './pipe.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
export const CSP = "default-src 'self'; connect-src 'self'";

/** Of keys that a browser itself acts on. */
const CODES: Readonly<Record<string, number>> = {
  Tab: 9,
  Enter: 13,
  Escape: 27,
  Home: 36,
  ArrowLeft: 37,
  ArrowUp: 38,
  ArrowRight: 39,
  ArrowDown: 40,
};

type Params = Readonly<Record<string, unknown>>;
type Place = readonly [number, number];

/** A static host of folders (the first that has a file gives it), as strict as ours. */
export async function serve(...folders: string[]): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url!, 'http://x').pathname)).replace(/\/$/, '/index.html');
    const file = folders.map((f) => join(f, path)).find((f) => existsSync(f));
    response.setHeader('Content-Security-Policy', CSP);
    if (!file) response.writeHead(404).end();
    else response.setHeader('Content-Type', TYPES[extname(file)] ?? 'application/octet-stream').end(readFileSync(file));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

export class Driver {
  /** Every address that was asked for, and what the page complained of. */
  readonly requests: string[] = [];
  readonly complaints: string[] = [];
  /** The page may say that something went wrong: else what is waited for is given up at once. */
  wrong = false;
  private held = 0;
  private at: Place = [0, 0];

  private constructor(
    private readonly pipe: Pipe,
    private readonly own: boolean,
    readonly targetId: string,
    private readonly sessionId: string,
  ) {
    const before = pipe.hear;
    pipe.hear = (method, params, of) => (of === sessionId ? this.hear(method, params as Params) : before(method, params, of));
  }

  static async open(flags: readonly string[] = []): Promise<Driver> {
    return Driver.of(new Pipe(['--use-angle=swiftshader', '--enable-unsafe-swiftshader', ...flags, '--hide-scrollbars']), true);
  }
  /** Another tab of the same browser, brought to the front. */
  async another(): Promise<Driver> {
    return Driver.of(this.pipe, false, 'about:blank');
  }
  private static async of(pipe: Pipe, own: boolean, url?: string): Promise<Driver> {
    const { targetId, sessionId } = await pipe.tab(url);
    const driver = new Driver(pipe, own, targetId, sessionId);
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await driver.send(`${domain}.enable`);
    return driver;
  }

  /** The browser where this opened it, else the tab alone: at once, whatever it is doing. */
  async close(): Promise<void> {
    if (this.own) await this.pipe[Symbol.asyncDispose]();
    else await this.pipe.send('Target.closeTarget', { targetId: this.targetId });
  }

  send(method: string, params: Params = {}): Promise<any> {
    return this.pipe.send(method, params, this.sessionId);
  }

  async size(width: number, height: number, mobile = false): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile });
  }
  async go(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }
  async screenshot(format: 'png' | 'jpeg' = 'png', quality?: number): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format, ...(quality && { quality }) });
    return Buffer.from(data as string, 'base64');
  }

  /** The value of an expression in the page. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? 'threw');
    return result!.value;
  }
  /** Waits until an expression is true; fails with what the page shows after a while. */
  async until(expression: string, seconds = 600): Promise<void> {
    const end = Date.now() + seconds * 1000;
    while (!(await this.value<boolean>(`!!(${expression})`).catch(() => false))) {
      const said = await this.value<string | undefined>(`document.querySelector('.notice.error')?.innerText`).catch(() => undefined);
      if (said !== undefined && !this.wrong) throw new Error(`the page says: ${said}`);
      if (Date.now() > end)
        throw new Error(`never true: ${expression}\n${await this.value<string>('document.body.innerText')}\n${this.complaints.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  /** The visible element with this text or label, clicked in its middle. */
  async click(text: string, within = 'button, a, label'): Promise<void> {
    const find =
      `[...document.querySelectorAll(${JSON.stringify(within)})].find((e) => e.offsetParent !== null && !e.disabled && ` +
      `(e.innerText.trim().startsWith(${JSON.stringify(text)}) || e.getAttribute('aria-label') === ${JSON.stringify(text)}))`;
    await this.until(`!document.querySelector('.busy') && ${find}`);
    const [x, y] = await this.value<[number, number]>(
      `(() => { const e = ${find}; e.scrollIntoView({ block: 'nearest' }); const b = e.getBoundingClientRect(); return [b.x + ` +
        'b.width / 2, b.y + b.height / 2]; })()',
    );
    await this.move([x, y]);
    await this.press();
    await this.release();
  }
  /** Files for an input, as its dialog would give them. */
  async choose(selector: string, ...files: string[]): Promise<void> {
    const { result } = (await this.send('Runtime.evaluate', { expression: `document.querySelector(${JSON.stringify(selector)})` })) as {
      result: { objectId: string };
    };
    await this.send('DOM.setFileInputFiles', { files, objectId: result.objectId });
  }
  /** A value for an input, as typed or dragged. */
  async input(selector: string, value: number): Promise<void> {
    const find = `document.querySelector(${JSON.stringify(selector)})`;
    await this.value(`(() => { const e = ${find}; e.value = ${value}; e.dispatchEvent(new Event('input', { bubbles: true })); })()`);
  }
  async move(to: Place): Promise<void> {
    this.at = to;
    await this.send('Input.dispatchMouseEvent', {
      type: 'mouseMoved',
      x: to[0],
      y: to[1],
      buttons: this.held,
      button: this.held ? 'left' : 'none',
    });
  }
  async press(count = 1): Promise<void> {
    await this.leftButton('mousePressed', 1, count);
  }
  async release(count = 1): Promise<void> {
    await this.leftButton('mouseReleased', 0, count);
  }
  private async leftButton(type: string, held: 0 | 1, clickCount: number): Promise<void> {
    this.held = held;
    await this.send('Input.dispatchMouseEvent', { type, x: this.at[0], y: this.at[1], button: 'left', buttons: held, clickCount });
  }
  async wheel(deltaY: number, ctrl = false): Promise<void> {
    await this.send('Input.dispatchMouseEvent', {
      type: 'mouseWheel',
      x: this.at[0],
      y: this.at[1],
      deltaX: 0,
      deltaY,
      modifiers: ctrl ? 2 : 0,
    });
  }
  /** Pressed and let go; `Shift+` and `Control+` before it. */
  async key(name: string): Promise<void> {
    const [key, ...held] = name.split('+').reverse();
    const modifiers = (held.includes('Shift') ? 8 : 0) + (held.includes('Control') ? 2 : 0);
    const text = key === 'Enter' ? '\r' : key.length === 1 && !held.includes('Control') ? key : undefined;
    await this.send('Input.dispatchKeyEvent', {
      type: text ? 'keyDown' : 'rawKeyDown',
      key,
      modifiers,
      ...(text && { text }),
      ...(CODES[key] && { code: key, windowsVirtualKeyCode: CODES[key] }),
    });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key, modifiers });
  }

  /** The element that has the keyboard: its label, its text, or what it is. */
  focused(): Promise<string> {
    return this.value(
      `(() => { const e = document.activeElement, first = (text) => text?.trim().split('\\n')[0]; ` +
        `return e.getAttribute('aria-label') || first(e.labels?.[0]?.innerText) || first(e.innerText) || e.tagName; })()`,
    );
  }
  /** Tab until the element of that label or text has the keyboard, which must be seen. @returns how often */
  async tabTo(text: string, back = false): Promise<number> {
    const passed: string[] = [];
    for (let times = 1; times <= 60; times++) {
      await this.key(back ? 'Shift+Tab' : 'Tab');
      const at = await this.focused();
      if (
        !(await this.value<boolean>(
          `parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2 || document.activeElement === document.body`,
        ))
      )
        throw new Error(`no ring about ${at}`);
      if (at.startsWith(text)) return times;
      passed.push(at);
    }
    throw new Error(`Tab never comes to ${text}, but to ${passed.join(' | ')}`);
  }

  private hear(method: string, params: Params): void {
    if (method === 'Network.requestWillBeSent') this.requests.push((params.request as { url: string }).url);
    else if (method === 'Runtime.exceptionThrown')
      this.complaints.push(JSON.stringify((params.exceptionDetails as { exception?: unknown }).exception));
    else if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.complaints.push(JSON.stringify(params.args));
    else if (method === 'Log.entryAdded' && (params.entry as { level: string }).level === 'error')
      this.complaints.push((params.entry as { text: string }).text);
  }
}
