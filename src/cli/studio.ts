// SPDX-License-Identifier: MIT
// voxelgrad studio: the page that annotates, trains and takes masks away, on this machine.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { VoxelgradError } from '../errors.ts';
import { integer } from './numbers.ts';
import { isFirstPort, serveStudio } from './studio_server.ts';
import type { Outcome, Verb } from './verb.ts';

interface Options {
  readonly port?: number;
}

/** Where a release, and a checkout that was built, have it. */
function pageFolder(): string {
  const page = join(dirname(createRequire(import.meta.url).resolve('voxelgrad/package.json')), 'dist/studio');
  if (!existsSync(join(page, 'index.html')))
    throw new VoxelgradError('USAGE', `${page}: the page is not built.`, 'Run `npm run setup` first.');
  return page;
}

export const studio: Verb = {
  configure: (command) => {
    command
      .argument('[folder]', 'scans or a data set that the page offers; they are read, never changed')
      .option('--port <n>', 'port on this machine (default: 4713, or the next that is free)', integer(1, 65_535))
      .addHelpText(
        'after',
        '\nThe page works in a browser with WebGPU and `subgroups` (Chrome or Edge 134 and later). Nothing leaves this machine: ' +
          'sessions lie in\nthe browser, by address and port. Not for clinical use.',
      );
  },
  async run([folder], { port }: Options, context): Promise<Outcome> {
    await using served = await serveStudio({
      page: pageFolder(),
      ...(folder !== undefined && { folder: folder as string }),
      ...(port !== undefined && { port }),
    });
    const ended = new Promise<void>((resolve) => {
      process.once('SIGINT', resolve);
      process.once('SIGTERM', resolve);
    });
    context.note(`Studio: ${served.url}  (Ctrl-C ends it)`);
    if (folder !== undefined) context.note(`${served.offered} files of ${folder} can be opened in it.`);
    if (port === undefined && !isFirstPort(served.port))
      context.note('Another program has the usual port: sessions that were made there are not seen here. Name the port with --port.');
    await ended;
    return { text: 'Studio ended. Sessions stay in the browser.', json: { url: served.url, offered: served.offered } };
  },
};
