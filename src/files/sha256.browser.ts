// SPDX-License-Identifier: MIT
// SHA-256 in a page: WebCrypto has it only for what is in memory as a whole.
import { sha256 as create } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hash } from './sha256.ts';

export function sha256(): Hash {
  const hash = create.create();
  const own: Hash = {
    update(piece) {
      hash.update(typeof piece === 'string' ? utf8ToBytes(piece) : piece);
      return own;
    },
    digest: () => bytesToHex(hash.digest()),
  };
  return own;
}
