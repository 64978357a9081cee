// SPDX-License-Identifier: MIT
// RLE (PS3.5 annex G): one PackBits segment for each byte of a pixel, the most significant first.

/** A frame of `pixels` pixels of `bytes` bytes, little endian. Error saying what is wrong. */
export function decodeRle(data: Uint8Array, pixels: number, bytes: number): Uint8Array {
  if (data.length < 64) throw new Error(`a header of ${data.length} bytes, expected 64`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength),
    count = view.getUint32(0, true);
  if (count !== bytes) throw new Error(`${count} segments, expected ${bytes}`);
  // A control byte and its value make 128 bytes at most.
  if ((data.length - 64) * 64 < pixels * bytes) throw new Error(`${data.length} bytes cannot hold ${pixels * bytes}`);
  const starts = Array.from({ length: count }, (_, i) => view.getUint32(4 + 4 * i, true)),
    out = new Uint8Array(pixels * bytes);
  starts.forEach((start, segment) => {
    const end = starts[segment + 1] ?? data.length;
    if (start < 64 || end < start || end > data.length)
      throw new Error(`segment ${segment + 1} from byte ${start} to ${end} of ${data.length}`);
    unpack(data.subarray(start, end), out, bytes - 1 - segment, bytes, segment + 1);
  });
  return out;
}

/** Unpacks into every `step`-th byte of `out` from `first`: all of them, and no more. */
function unpack(data: Uint8Array, out: Uint8Array, first: number, step: number, segment: number): void {
  let at = 0,
    to = first;
  while (to < out.length) {
    if (at >= data.length) throw new Error(`segment ${segment} stops early, got ${(to - first) / step} pixels of ${out.length / step}`);
    const control = data[at++];
    if (control === 128) continue;
    const literal = control < 128,
      count = literal ? control + 1 : 257 - control;
    if (to + (count - 1) * step >= out.length || at + (literal ? count : 1) > data.length)
      throw new Error(`a run of segment ${segment} passes its end`);
    for (let i = 0; i < count; i++, to += step) out[to] = data[literal ? at + i : at];
    at += literal ? count : 1;
  }
  // Padding to an even length.
  if (data.length - at > 1 && data.subarray(at).some((byte) => byte !== 0))
    throw new Error(`segment ${segment} goes on after its last pixel, got ${data.length - at} bytes more`);
}
