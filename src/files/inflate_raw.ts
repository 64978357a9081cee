// SPDX-License-Identifier: MIT
// A deflated stream unpacked as a whole. In a page inflate_raw.browser.ts stands in for this file.
import { inflateRawSync } from 'node:zlib';

/** @throws Error for a damaged stream, and for one that holds more than `most` bytes */
export const inflateRaw = (packed: Uint8Array, most: number): Uint8Array => inflateRawSync(packed, { maxOutputLength: most });
