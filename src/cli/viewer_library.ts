// SPDX-License-Identifier: MIT
// The text of the library that turns surfaces in a page, at the version that package.json pins. Read only where a page shows surfaces.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

export function viewerLibrary(): string {
  const require = createRequire(import.meta.url);
  const { version, license } = require('regl/package.json') as { version: string; license: string };
  return `/* regl ${version}, Copyright (c) 2016 Mikola Lysenko, ${license} licence, github.com/regl-project/regl */\n${readFileSync(require.resolve('regl/dist/regl.min.js'), 'utf8')}`;
}
