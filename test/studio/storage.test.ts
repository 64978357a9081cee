// SPDX-License-Identifier: MIT
// A browser that keeps nothing for the page (a private window of Firefox, blocked site data): what the person is told, before anything is
// drawn.
import { afterEach, expect, it, vi } from 'vitest';
import { failureOf } from '../../src/studio/session/failure.ts';
import { Studio } from '../../src/studio/session/studio.ts';

afterEach(() => void vi.unstubAllGlobals());

it('is said to keep nothing, and what to do, whatever is asked first', async () => {
  const refused = (): Promise<never> => Promise.reject(new DOMException('Security error when calling GetDirectory', 'SecurityError'));
  vi.stubGlobal('navigator', { storage: { getDirectory: refused }, locks: { request: refused, query: refused } });
  const studio = new Studio();
  for (const ask of [() => studio.sessions(), () => studio.createSession('scan'), () => studio.addPhantom()]) {
    const failure = failureOf(await ask().then(String, (error: unknown) => error));
    expect(failure).toMatchObject({ code: 'DATA', message: expect.stringContaining('this browser keeps no files for the page') });
    expect(failure.hint).toContain('a window that is not private');
  }
});
