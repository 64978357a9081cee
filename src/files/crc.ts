// SPDX-License-Identifier: MIT
// The two 32-bit checksums of the formats we read and write: CRC-32 (zip) and CRC-32C (TensorBoard event files).

function table(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ polynomial : n >>> 1;
    return n;
  });
}

function checksum(lookup: Uint32Array, bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = lookup[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const IEEE = table(0xedb88320);
const CASTAGNOLI = table(0x82f63b78);

/** `before`: the checksum of the bytes that went before. */
export const crc32 = (bytes: Uint8Array, before?: number): number => checksum(IEEE, bytes, before);
export const crc32c = (bytes: Uint8Array): number => checksum(CASTAGNOLI, bytes);
