// SPDX-License-Identifier: MIT
// Finds NaN and infinities in a stream of stored floats. Needed because the NIfTI library inside ITK replaces them by 0
// without a word (seen with @itk-wasm/image-io 1.6.1): after decoding it is too late to notice.

/** How floats lie in a decoded stream: from byte `offset`, `bytes` (4 or 8) each. */
export interface FloatLayout { readonly offset: number; readonly bytes: 4 | 8; readonly little: boolean }

/** Fed with chunks in order, counts values whose exponent bits are all ones. */
export class FloatScan {
  /** Values that are NaN or infinite, and the index of the first (-1: none). */
  count = 0;
  first = -1;
  readonly #layout: FloatLayout;
  readonly #limit: number;
  #skip: number;
  #index = 0;
  #rest: Uint8Array = new Uint8Array(0);

  /** `values`: how many belong to the volume; bytes after them are passed over. */
  constructor(layout: FloatLayout, values: number) {
    this.#layout = layout;
    this.#limit = values;
    this.#skip = layout.offset;
  }

  /** Takes the next chunk of the stream. */
  feed(chunk: Uint8Array): void {
    const start = Math.min(this.#skip, chunk.length);
    this.#skip -= start;
    let bytes = chunk.subarray(start);
    if (this.#rest.length > 0) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
    }
    const { bytes: width, little } = this.#layout;
    const mask = width === 4 ? 0x7f800000 : 0x7ff00000;
    const high = width === 8 && little ? 4 : 0; // where the word with the exponent begins
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const whole = Math.floor(bytes.length / width);
    for (let i = 0; i < whole && this.#index < this.#limit; i++, this.#index++) {
      if ((view.getUint32(i * width + high, little) & mask) !== mask) continue;
      if (this.count++ === 0) this.first = this.#index;
    }
    this.#rest = bytes.slice(whole * width);
  }
}
