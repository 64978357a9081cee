// SPDX-License-Identifier: MIT
import { expect, it } from 'vitest';
import { bytes, counted, duration, fixed, interval, meanStd, percent, pValue, shortened, signed } from '../../src/report/format.ts';
import { anchor, html, Html } from '../../src/report/html.ts';

it('numbers have true minus signs, no minus zero, and a dash where undefined', () => {
  expect([fixed(1.25, 1), fixed(-0.04), fixed(-2), fixed(null), fixed(NaN), fixed(-Infinity)]).toEqual([
    '1.3',
    '0.0',
    '−2.0',
    '–',
    '–',
    '−∞',
  ]);
  expect([signed(2), signed(-2), signed(0.01), signed(null)]).toEqual(['+2.0', '−2.0', '0.0', '–']);
  expect([percent(0.306), percent(undefined)]).toEqual(['30.6 %', '–']);
  expect([interval([1, 2]), interval(null), interval([-1, 2], 1, signed)]).toEqual(['1.0 to 2.0', '–', '−1.0 to +2.0']);
  expect([meanStd({ mean: 81.23, std: 6.4, unit: '%' }), meanStd({ mean: 1.234, std: null, unit: 'mm' })]).toEqual(['81.2 ± 6.4', '1.23']);
  expect([pValue(0.0234375), pValue(0.0004), pValue(null)]).toEqual(['0.023', '< 0.001', '–']);
  expect([shortened('abcdef', 6), shortened('abcdefg', 6)]).toEqual(['abcdef', 'abcde…']);
  expect([counted(1, 'case'), counted(2, 'case')]).toEqual(['1 case', '2 cases']);
});

it('durations and sizes', () => {
  expect([duration(8.24), duration(59.96), duration(245), duration(3599.7), duration(11520)]).toEqual([
    '8.2 s',
    '60.0 s',
    '4 min 05 s',
    '1 h 00 min',
    '3 h 12 min',
  ]);
  expect([bytes(0), bytes(512), bytes(1536), bytes(3 * 2 ** 30), bytes(undefined)]).toEqual(['0 B', '512 B', '1.5 KiB', '3.0 GiB', '–']);
});

it('markup escapes text, keeps markup, drops what is not there', () => {
  expect(html`<p title="${'"><b>'}">${'a & b'}${null}${undefined}${false}${0}${[html`<i>${1}</i>`, '<']}</p>`.text).toBe(
    '<p title="&quot;&gt;&lt;b&gt;">a &amp; b0<i>1</i>&lt;</p>',
  );
  expect(html`${new Html('<br>')}`.text).toBe('<br>');
});

it('anchors of different names differ and need no escaping', () => {
  const names = ['a b', 'a_b', 'a-b', 'ab', 'a_20_b', 'ä', '<x>'];
  const anchors = names.map((name) => anchor('case', name));
  expect(new Set(anchors).size).toBe(names.length);
  for (const each of anchors) expect(each).toMatch(/^[\w-]+$/);
});
