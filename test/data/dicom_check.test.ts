// SPDX-License-Identifier: MIT
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dicomDamage } from '../../src/data/dicom_check.ts';
import { readVolume } from '../../src/io/node/volume.ts';
import { dataError, scratch, sharedData } from './helpers.ts';

/** A Part 10 file: meta header with SOP class and transfer syntax, then elements. */
function part10(sopClass: string, elements: Buffer, syntax = '1.2.840.10008.1.2.1'): Buffer {
  const element = (e: number, value: string): Buffer => {
    const text = Buffer.from(value + (value.length % 2 ? '\0' : '')), head = Buffer.from([2, 0, e, 0, 0x55, 0x49, text.length, 0]);
    return Buffer.concat([head, text]);
  };
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), element(0x02, sopClass), element(0x03, '1.2.3'), element(0x10, `${syntax}\0`), elements]);
}
const CT = '1.2.840.10008.5.1.4.1.1.2', STRUCTURES = '1.2.840.10008.5.1.4.1.1.481.3';
const pixels = (length: number, present: number): Buffer => {
  const head = Buffer.from([0xe0, 0x7f, 0x10, 0, 0x4f, 0x57, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32LE(length, 8);
  return Buffer.concat([head, Buffer.alloc(present, 1)]);
};

describe('dicomDamage', () => {
  it.each<[string, Buffer, string, string | undefined]>([
    ['a whole image', part10(CT, pixels(50, 50)), 'a.dcm', undefined],
    ['pixels cut off', part10(CT, pixels(50, 49)), 'a.dcm', 'the pixels stop before their end'],
    ['cut in the pixels\' own header', part10(CT, pixels(50, 0).subarray(0, 9)), 'a.dcm', 'the pixels stop before their end'],
    ['an image without pixels', part10(CT, Buffer.alloc(20)), 'a', 'it ends before the pixels'],
    ['a structure set', part10(STRUCTURES, Buffer.alloc(2000)), 'a.dcm', undefined],
    ['compressed pixels with their end', part10(CT, Buffer.concat([pixels(0xffffffff, 30), Buffer.from([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0])])), 'a.dcm', undefined],
    ['compressed pixels without it', part10(CT, pixels(0xffffffff, 30)), 'a.dcm', 'the pixels stop before their end'],
    ['deflated files, which are not looked into', part10(CT, Buffer.alloc(20), '1.2.840.10008.1.2.1.99'), 'a.dcm', undefined],
    ['a few bytes called .dcm', Buffer.alloc(100), 'a.dcm', 'only 100 bytes'],
    ['a text file', Buffer.from('hello'), 'readme.txt', undefined],
  ])('%s', (_what, bytes, name, damage) => expect(dicomDamage(bytes, name)).toBe(damage));
});

it('a DICOM image that GDCM cannot decode is named, not left out', async () => {
  const place = scratch();
  writeFileSync(join(place, 'odd.dcm'), part10(CT, pixels(50, 50))); // no rows, no columns
  expect((await dataError(() => readVolume(place))).message).toMatch(/odd\.dcm: a DICOM image that cannot be decoded/);
});

it('a series with a structure set among it is read; with a truncated slice it is refused by name', async () => {
  const images = sharedData('ibsi-lung-tumour/dicom/image'), structures = sharedData('ibsi-lung-tumour/dicom/mask');
  if (!images || !structures) return;
  const place = join(scratch(), 'series'), slices = readdirSync(images).sort().slice(0, 3);
  mkdirSync(place);
  for (const name of slices) copyFileSync(join(images, name), join(place, name));
  for (const name of readdirSync(structures)) copyFileSync(join(structures, name), join(place, `rt_${name}`));
  expect((await readVolume(place)).size[0]).toBe(3);
  const whole = readFileSync(join(images, slices[0]));
  for (const length of [whole.length - 1, 40000, 3000, 500, 100]) {
    writeFileSync(join(place, 'cut.dcm'), whole.subarray(0, length));
    expect((await dataError(() => readVolume(place))).message).toMatch(/cut\.dcm: truncated DICOM image/);
  }
});
