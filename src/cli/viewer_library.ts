// SPDX-License-Identifier: MIT
// The text of the library that turns surfaces in a page, at the version that package.json pins. Only verbs that show surfaces load it.
import library from 'regl/dist/regl.min.js?raw';
import about from 'regl/package.json' with { type: 'json' };

export const viewerLibrary = (): string =>
  `/* regl ${about.version}, Copyright (c) 2016 Mikola Lysenko, ${about.license} licence, github.com/regl-project/regl */\n${library}`;
