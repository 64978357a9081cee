// SPDX-License-Identifier: MIT
// `voxelgrad studio`'s server: its own files, those of one folder and no others, to this machine alone.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveStudio, type Served } from '../../src/cli/studio_server.ts';

const root = mkdtempSync(join(tmpdir(), 'voxelgrad-serve-'));
let served: Served;
const at = (path: string): string => join(root, path);

beforeAll(async () => {
  mkdirSync(at('page/chunks'), { recursive: true });
  mkdirSync(at('scans/deep er'), { recursive: true });
  mkdirSync(at('elsewhere'));
  writeFileSync(at('page/index.html'), '<!doctype html>');
  writeFileSync(at('page/chunks/a.js'), '1');
  writeFileSync(at('scans/a b.nii.gz'), 'scan');
  writeFileSync(at('scans/deep er/ü.dcm'), 'slice');
  writeFileSync(at('scans/.hidden'), 'no');
  writeFileSync(at('elsewhere/secret.txt'), 'secret');
  symlinkSync(at('elsewhere'), at('scans/out'));
  symlinkSync(at('elsewhere/secret.txt'), at('scans/out.txt'));
  symlinkSync(at('scans'), at('scans/round'));
  served = await serveStudio({ page: at('page'), folder: at('scans'), port: 0 });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** Asked as it stands: `fetch` would tidy paths and headers. */
const ask = (
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; text: string; headers: Record<string, unknown> }> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: served.port, path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        resolve({ status: response.statusCode!, text, headers: response.headers });
      });
    })
      .on('error', reject)
      .end();
  });

describe('the server of the studio', () => {
  it('gives the page, with a policy that lets nothing out', async () => {
    const page = await ask('/');
    expect(page).toMatchObject({ status: 200, text: '<!doctype html>', headers: { 'content-type': 'text/html; charset=utf-8' } });
    for (const part of ["default-src 'self'", "connect-src 'self'", "object-src 'none'"])
      expect(page.headers['content-security-policy']).toContain(part);
    expect(page.headers['content-security-policy']).not.toContain('unsafe');
    expect((await ask('/chunks/a.js')).headers['content-type']).toContain('javascript');
  });

  it('offers the files of the folder, and none that a link leads out to', async () => {
    expect(JSON.parse((await ask('/folder.json')).text)).toEqual([
      { path: 'a b.nii.gz', bytes: 4 },
      { path: 'deep er/ü.dcm', bytes: 5 },
    ]);
    expect((await ask('/folder/a%20b.nii.gz')).text).toBe('scan');
    expect((await ask(`/folder/deep%20er/${encodeURIComponent('ü.dcm')}`)).text).toBe('slice');
    expect(served.offered).toBe(2);
  });

  it.each([
    '/folder/../elsewhere/secret.txt',
    '/folder/%2e%2e/elsewhere/secret.txt',
    '/folder/out/secret.txt',
    '/folder/out.txt',
    '/folder/.hidden',
    '/../scans/a b.nii.gz'.replace(' ', '%20'),
    '/folder/%2Fetc%2Fpasswd',
    '/chunks',
    '/%00',
  ])('does not give %s', async (path) => expect((await ask(path)).status).toBe(404));

  it('takes no writing, no broken path, no other name for this address, no page of another origin', async () => {
    expect((await ask('/', { method: 'POST' })).status).toBe(405);
    expect((await ask('/folder/a%20b.nii.gz', { method: 'DELETE' })).status).toBe(405);
    expect((await ask('/%')).status).toBe(400);
    expect((await ask('/', { headers: { Host: `evil.example:${served.port}` } })).status).toBe(403);
    expect((await ask('/folder.json', { headers: { 'Sec-Fetch-Site': 'cross-site' } })).status).toBe(403);
    expect((await ask('/', { headers: { Host: `localhost:${served.port}` } })).status).toBe(200);
  });

  it('is not reached by another address of this machine', async () => {
    const other = Object.values(networkInterfaces())
      .flat()
      .find((each) => each && !each.internal && each.family === 'IPv4');
    if (other) await expect(fetch(`http://${other.address}:${served.port}/`)).rejects.toThrow();
  });

  it('says that a port is taken, a folder missing, or a file', async () => {
    await expect(serveStudio({ page: at('page'), port: served.port })).rejects.toThrow(/--port: \d+ is taken/);
    await expect(serveStudio({ page: at('page'), folder: at('none'), port: 0 })).rejects.toThrow(/none/);
    await expect(serveStudio({ page: at('page'), folder: at('page/index.html'), port: 0 })).rejects.toThrow(/a file, expected a folder/);
  });
});
