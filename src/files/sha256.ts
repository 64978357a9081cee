// SPDX-License-Identifier: MIT
// SHA-256, piece by piece. Node's own is several times as fast as any JavaScript; in a page sha256.browser.ts stands in for this file.
import { createHash } from 'node:crypto';

export interface Hash {
  update(piece: Uint8Array | string): Hash;
  digest(encoding: 'hex'): string;
}

export const sha256 = (): Hash => createHash('sha256');
