// SPDX-License-Identifier: MIT
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/errors.ts';
import { crc32, crc32c } from '../../src/files/crc.ts';
import { EventWriter, maskedCrc } from '../../src/io/node/run/tensorboard.ts';
import { fields, records, scalars } from './events.ts';

const ascii = (s: string) => new TextEncoder().encode(s);

describe('checksums', () => {
  it('CRC-32C has the values of RFC 3720, B.4', () => {
    expect(crc32c(ascii('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });
  it('CRC-32 has its check value', () => expect(crc32(ascii('123456789'))).toBe(0xcbf43926));
  it('the mask rotates by 15 and adds', () => {
    const crc = crc32c(ascii('foo'));
    const masked = maskedCrc(ascii('foo'));
    const rotated = (masked - 0xa282ead8) >>> 0;
    expect(((rotated >>> 17) | (rotated << 15)) >>> 0).toBe(crc);
  });
});

describe('event files', () => {
  it('hold a version record and every scalar', () => {
    const writer = new EventWriter(mkdtempSync(join(tmpdir(), 'vg-tb-')), 'a1');
    writer.scalar('loss/total', 0.25, 0, 1234.5);
    writer.scalar('dice', 0.75, 2 ** 33 + 5, 1235);
    // Readable while the run goes on, without close().
    const bytes = readFileSync(writer.path);
    writer.close();
    const [version] = records(bytes).map(fields);
    expect(new TextDecoder().decode(version[1].value as Uint8Array)).toBe('brain.Event:2');
    expect(version[1].number).toBe(3);
    expect(scalars(bytes)).toEqual([
      { time: 1234.5, step: 0, tag: 'loss/total', value: 0.25 },
      { time: 1235, step: 2 ** 33 + 5, tag: 'dice', value: 0.75 },
    ]);
    expect(records(bytes)).toHaveLength(3);
  });

  it('are named as TensorBoard looks for them', () => {
    using writer = new EventWriter(join(mkdtempSync(join(tmpdir(), 'vg-tb-')), 'new', 'folder'), 'a1');
    expect(writer.path).toMatch(/events\.out\.tfevents\.\d{10}\./);
  });

  it('say which folder cannot be used', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'vg-tb-')), 'file');
    writeFileSync(file, '');
    expect(() => new EventWriter(file, 'a1')).toThrow(DataError);
    expect(() => new EventWriter(file, 'a1')).toThrow(/a file is where a folder is needed/);
  });
});
