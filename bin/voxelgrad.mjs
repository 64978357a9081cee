#!/usr/bin/env node
// SPDX-License-Identifier: MIT
import { existsSync } from 'node:fs';

const cli = new URL('../dist/cli.js', import.meta.url);
if (existsSync(cli)) {
  const { main } = await import(cli.href);
  // A reader that left (`| head`) is no failure of the work. Unheard, its error would come below, be printed, and come again, for ever.
  // Anything else (a full disk) means that the result is not where it was wanted.
  let lost = false;
  process.stdout.on('error', ({ code, message }) => {
    if (code === 'EPIPE' || lost) return;
    lost = true;
    process.exitCode = 1;
    process.stderr.write(
      `error: standard output: could not be written, ${code === 'ENOSPC' ? 'the disk is full' : message}.\nhint: Free space, or ` +
        'send it elsewhere; what it holds by now is not whole.\n',
    );
  });
  process.stderr.on('error', () => {});
  // What nobody awaited (a promise of a lost device) is reported and fails the run; it does not tear the process down.
  process.on('uncaughtException', (error) => {
    console.error(`error: ${error?.stack ?? error}`);
    process.exitCode = 1;
  });
  // Never process.exit: a process that is torn down with a live GPU device can die of a segmentation fault.
  const code = await main(process.argv.slice(2));
  process.exitCode ||= code;
} else {
  console.error('error: this checkout is not built. Run `npm run setup` first.');
  process.exitCode = 1;
}
