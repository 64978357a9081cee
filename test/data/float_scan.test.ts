// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { FloatScan } from '../../src/data/float_scan.ts';

it.each([[4, true], [4, false], [8, true], [8, false]] as const)('finds NaN and infinities whatever the chunks (%i bytes, little endian %s)', (bytes, little) => {
  const values = [1, -0, NaN, 3e38, Infinity, 1e-40, -Infinity, NaN];
  const stream = new Uint8Array(5 + values.length * bytes), view = new DataView(stream.buffer);
  stream.fill(0xff, 0, 5); // a header that would look like NaN
  values.forEach((x, i) => (bytes === 4 ? view.setFloat32(5 + 4 * i, x, little) : view.setFloat64(5 + 8 * i, x, little)));
  for (const step of [1, 3, 7, 1000]) {
    const scan = new FloatScan({ offset: 5, bytes, little }, 7); // the eighth value lies beyond the volume
    for (let at = 0; at < stream.length; at += step) scan.feed(stream.subarray(at, at + step));
    expect([scan.count, scan.first]).toEqual([3, 2]);
  }
});
