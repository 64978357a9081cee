// SPDX-License-Identifier: MIT
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { issueText, show } from '../../src/data/issue.ts';
import { DataError, printable } from '../../src/errors.ts';
import { parseJson } from '../../src/files/json.ts';
import { readBytes, readJson } from '../../src/files/regular.ts';
import * as z from 'zod';
import { cpuSeconds } from '../probe.ts';
import { scratch } from '../data/helpers.ts';
import { posix } from '../needs.ts';

const root = scratch();
const at = (name: string): string => join(root, name);

describe('parseJson', () => {
  it('gives what JSON.parse gives', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.boolean(), (value, spaced) => {
        const text = JSON.stringify(value, null, spaced ? 2 : 0);
        expect(parseJson(text, 'x')).toEqual(JSON.parse(text));
        expect(parseJson(new TextEncoder().encode(`\ufeff${text}`), 'x')).toEqual(JSON.parse(text));
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, Uint8Array | string, RegExp]>([
    ['no JSON', '{"a": ', /^x\.json: not JSON: /],
    ['nothing', '', /^x\.json: not JSON: /],
    ['lists in lists without end', '['.repeat(1e6) + ']'.repeat(1e6), /not JSON: nested more than 64 levels deep/],
    ['objects in objects without end', '{"a":'.repeat(1e6), /nested more than 64 levels deep/],
    ['a field twice', '{"a": 1, "b": {"a": 2}, "a": 3}', /"a" is there twice in one object/],
    ['a field twice, one of them escaped', '{"a": 1, "\\u0061": 3}', /"a" is there twice in one object/],
    ['a field twice far inside', '[{"a": {"b": "}", "b": 1}}]', /"b" is there twice/],
    ['UTF-16', Uint8Array.of(0xff, 0xfe, 0x7b, 0, 0x7d, 0), /not a text in UTF-8/],
    ['Latin-1', Uint8Array.of(0x22, 0xe4, 0x22), /not a text in UTF-8/],
    ["a terminal's commands", '{"a": \u001b[2J}', /not JSON: [^\u001b]*$/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parseJson(text, 'x.json')).toThrow(message);
    expect(() => parseJson(text, 'x.json')).toThrow(DataError);
  });

  it('takes sixty levels, braces in texts, and one name in many objects', () => {
    expect(parseJson(`${'['.repeat(60)}${']'.repeat(60)}`, 'x')).toHaveLength(1);
    expect(parseJson('[{"a": "{[\\"{"}, {"a": "a"}, ["a", "a"]]', 'x')).toEqual([{ a: '{["{' }, { a: 'a' }, ['a', 'a']]);
  });

  it('reads megabytes in their own time', () => {
    const begun = cpuSeconds();
    parseJson(`{${Array.from({ length: 200_000 }, (_, i) => `"k${i}": {"a": [${i}, "x"]}`).join(',')}}`, 'x');
    expect(cpuSeconds() - begun).toBeLessThan(5);
  });
});

describe('messages', () => {
  it('are cut, and command no terminal', () => {
    const { message } = new DataError(`a file: ${'x'.repeat(1e8)}\u001b[31m, expected less.`, 'Do\u0007 it.');
    expect(message.length).toBeLessThan(5000);
    expect(message).toMatch(/^a file: x+ \[\.\.\. \d+ characters \.\.\.\] x+\\u001b\[31m, expected less\. Do\\u0007 it\.$/);
    expect(printable('ä\n\tb\r\u009b\u202e')).toBe('ä\n\tb\\u000d\\u009b\\u202e');
  });

  it('show the head of what was found', () => {
    expect(show('a'.repeat(1e8))).toMatch(/^"a{10,60}\.\.\.$/);
    expect(show(Array.from({ length: 1e6 }, () => 0)).length).toBeLessThanOrEqual(60);
    const strange = { ['k'.repeat(1e7)]: 1 };
    const { error } = z.strictObject({}).safeParse(strange);
    expect(new DataError(`f: ${issueText(error!, strange)}.`).message.length).toBeLessThan(5000);
  });
});

describe('what is no file', () => {
  posix.it('is refused by its kind, unopened', () => {
    spawnSync('mkfifo', [at('fifo')]);
    mkdirSync(at('folder'));
    symlinkSync(at('fifo'), at('linked'));
    for (const [name, kind] of [
      ['fifo', 'a FIFO'],
      ['linked', 'a FIFO'],
      ['folder', 'a folder'],
    ])
      expect(() => readJson(at(name))).toThrow(`${at(name)}: cannot be read, got ${kind}, expected a file.`);
    expect(() => readJson('/dev/zero')).toThrow(/got a device/);
  });

  it('a link to nothing says where it leads, and what to do where git-annex made it', () => {
    symlinkSync(at('gone'), at('dangling'));
    symlinkSync('../.git/annex/objects/Xq/3k/SHA256E-s5--0/SHA256E-s5--0.nii.gz', at('scan.nii.gz'));
    expect(() => readBytes(at('dangling'))).toThrow(`got a link to ${at('gone')}, which is not there`);
    expect(() => readBytes(at('scan.nii.gz'))).toThrow(/which is not there[^]*git annex get/);
    symlinkSync(at('loop'), at('loop'));
    expect(() => readBytes(at('loop'))).toThrow(/a link that leads to itself/);
  });

  it('and what is too large is not read', () => {
    writeFileSync(at('large'), 'x'.repeat(100));
    expect(() => readBytes(at('large'), 99)).toThrow(/large: too large, got 100 bytes, expected at most 99/);
  });
});
