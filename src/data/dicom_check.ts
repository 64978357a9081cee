// SPDX-License-Identifier: MIT
// Whether a DICOM file still holds all of its image. GDCM fills what is missing with zeros, and a slice cut off before its
// pixels looks like a file of another kind (both seen with @itk-wasm/image-io 1.6.1), so the bytes are looked at here.

/** Tag (7FE0,0010) PixelData and the sequence delimiter (FFFE,E0DD) that ends compressed pixels, little endian. */
const PIXEL_DATA = Buffer.from([0xe0, 0x7f, 0x10, 0x00]);
const DELIMITER = Buffer.from([0xfe, 0xff, 0xdd, 0xe0]);
const UNDEFINED_LENGTH = 0xffffffff;

/** Transfer syntaxes whose tags do not read like this: deflated, and big endian (retired). */
const OTHER_CODING = /1\.2\.840\.10008\.1\.2\.(1\.99|2)\0/;
/** SOP classes of slices: CT, MR, PET, X-ray, secondary capture, and their enhanced and legacy forms. */
const IMAGE_CLASS = /\x02\x00\x02\x00UI..1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:1|2|4|6|7|12|20|128|130)(?:\.\d+)*\0?\x02\x00/s;

/** True for a DICOM file with pixels in it. */
export const holdsPixels = (bytes: Buffer): boolean => bytes.toString('latin1', 128, 132) === 'DICM' && bytes.includes(PIXEL_DATA);

/** What is wrong with a DICOM image file, or undefined if it is whole or not an image (structure sets, notes). */
export function dicomDamage(bytes: Buffer, name: string): string | undefined {
  const isPart10 = bytes.length >= 132 && bytes.toString('latin1', 128, 132) === 'DICM';
  if (!isPart10) return bytes.length < 132 && /\.(dcm|ima)$/i.test(name) ? `only ${bytes.length} bytes` : undefined;
  const head = bytes.toString('latin1', 0, 2048);
  if (OTHER_CODING.test(head)) return undefined;
  let at = bytes.indexOf(PIXEL_DATA), seen = 0;
  for (; at >= 0; at = bytes.indexOf(PIXEL_DATA, at + 4)) {
    const explicit = /^O[BW]$/.test(bytes.toString('latin1', at + 4, at + 6));
    const start = at + (explicit ? 12 : 8); // tag, [VR, 2 reserved,] 32-bit length
    if (start > bytes.length) break;
    const length = bytes.readUInt32LE(start - 4);
    if (length === UNDEFINED_LENGTH ? bytes.indexOf(DELIMITER, start) >= 0 : start + length <= bytes.length) return undefined;
    seen++;
  }
  if (seen > 0 || at >= 0) return 'the pixels stop before their end';
  return IMAGE_CLASS.test(head) || (bytes.length < 1024 && !/1\.2\.840\.10008\.5\.1\.4\.1\.1\./.test(head)) ? 'it ends before the pixels' : undefined;
}
