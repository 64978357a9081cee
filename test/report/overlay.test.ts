// SPDX-License-Identifier: MIT
import { decode } from 'fast-png';
import { parseHTML } from 'linkedom';
import { describe, expect, it } from 'vitest';
import type { OverlayCase } from '../../src/report/input.ts';
import { caseViews, outline } from '../../src/report/overlay_planes.ts';
import { overlaySection } from '../../src/report/section_overlays.ts';

/** 4 x 5 x 6 voxels whose intensity tells where they are: 100 z + 10 y + x. One reference voxel, one predicted beside it. */
function probe(more: Partial<OverlayCase> = {}): OverlayCase {
  const at = (z: number, y: number, x: number): number => (z * 5 + y) * 6 + x;
  const image = Float32Array.from({ length: 120 }, (_, i) => 100 * Math.floor(i / 30) + 10 * (Math.floor(i / 6) % 5) + (i % 6));
  const reference = new Uint8Array(120),
    prediction = new Uint8Array(120);
  reference[at(1, 2, 3)] = 1;
  prediction[at(1, 2, 4)] = 1;
  return { case: 'probe', size: [4, 5, 6], spacing: [3, 2, 1], image, reference, prediction, window: { low: 0, high: 510 }, ...more };
}

describe('planes', () => {
  it('pass through the reference', () => {
    const { planes } = caseViews(probe());
    expect(planes.map(({ plane, slice, width, height, pixel }) => [plane, slice, width, height, ...pixel])).toEqual([
      ['transverse', 1, 6, 5, 1, 2],
      ['coronal', 2, 6, 4, 1, 3],
      ['sagittal', 3, 5, 4, 2, 3],
    ]);
    // Window 0 to 510: half the intensity.
    expect(planes[0].grey[0]).toBe(50);
    expect(planes[1].grey[0]).toBe(10);
    expect(planes[0].letters).toBeNull();
  });

  it('follow the radiological convention when the orientation is known', () => {
    const { planes } = caseViews(probe({ orientation: 'RAS' }));
    expect(planes.map(({ letters }) => letters!.join(''))).toEqual(['RLAP', 'RLSI', 'APSI']);
    // First pixel, top left: transverse is anterior right (y 4, x 5), coronal superior right (z 3, x 5), sagittal superior anterior (z 3, y
    // 4).
    expect(planes.map(({ grey }) => grey[0])).toEqual([Math.round(145 / 2), Math.round(325 / 2), Math.round(343 / 2)]);
    expect(planes[0].reference.indexOf(1)).toBe(2 * 6 + 2);
    expect(planes[0].prediction.indexOf(1)).toBe(2 * 6 + 1);
  });

  it('keep the texture of a small bright structure in a large dark one', () => {
    const n = 60,
      image = new Float32Array(n * n * n).fill(-800),
      reference = new Uint8Array(n * n * n);
    for (let z = 29; z < 32; z++)
      for (let y = 29; y < 32; y++)
        for (let x = 29; x < 32; x++) {
          const at = (z * n + y) * n + x;
          reference[at] = 1;
          image[at] = 20 * (x - 29);
        }
    const { planes, window } = caseViews({
      case: 'small',
      size: [n, n, n],
      spacing: [1, 1, 1],
      image,
      reference,
      prediction: new Uint8Array(n * n * n),
    });
    expect(window.high).toBeGreaterThan(100);
    const inside = [...planes[0].grey].filter((_, i) => planes[0].reference[i]);
    expect(new Set(inside).size).toBe(3);
    expect(Math.max(...inside)).toBeLessThan(235);
  });

  it('show what is near the masks, not the whole body', () => {
    const n = 100,
      image = new Float32Array(n * n * n),
      reference = new Uint8Array(n * n * n);
    reference[(50 * n + 50) * n + 50] = 1;
    const { planes } = caseViews({
      case: 'big',
      size: [n, n, n],
      spacing: [1, 1, 1],
      image,
      reference,
      prediction: new Uint8Array(n * n * n),
    });
    expect(planes[0].width).toBeGreaterThanOrEqual(45);
    expect(planes[0].width).toBeLessThan(50);
  });

  it('fall back on the prediction, then on the middle', () => {
    const none = new Uint8Array(120);
    expect(caseViews(probe({ reference: none })).planes.map(({ slice }) => slice)).toEqual([1, 2, 4]);
    expect(caseViews(probe({ reference: none, prediction: none })).planes.map(({ slice }) => slice)).toEqual([2, 2, 3]);
  });

  it('take the window from the percentiles where none is given, NaN aside', () => {
    const image = Float32Array.from({ length: 120 }, (_, i) => (i === 5 ? NaN : i % 100));
    const { window } = caseViews(probe({ image, window: undefined }));
    expect(window.low).toBeGreaterThanOrEqual(0);
    expect(window.low).toBeLessThan(3);
    expect(window.high).toBeGreaterThan(96);
  });
});

describe('outlines', () => {
  it('follow voxel edges, join runs and stay off the edge of the picture', () => {
    // A 2 x 2 block in the corner of 4 x 3.
    expect(outline(Uint8Array.of(1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0), 4, 3)).toBe('M0 2H2M2 0V2');
    expect(outline(new Uint8Array(12), 4, 3)).toBe('');
    expect(outline(Uint8Array.of(1, 2), 2, 1)).toBe('M1 0V1');
  });
});

describe('pictures', () => {
  const { document } = parseHTML(`<body>${overlaySection([probe()], undefined)!.text}</body>`);
  const pixels = (href: string): ReturnType<typeof decode> => decode(Buffer.from(href.split(',')[1], 'base64'));

  it('hold each grey slice once, at its physical size', () => {
    const grey = [...document.querySelectorAll('image[id]')];
    expect(grey.length).toBe(3);
    expect(document.querySelectorAll('use').length).toBe(6);
    const first = pixels(grey[0].getAttribute('href')!);
    expect([first.width, first.height, first.data[0]]).toEqual([6, 5, 50]);
    expect([grey[0].getAttribute('width'), grey[0].getAttribute('height')]).toEqual(['6', '10']);
  });

  it('colour what was missed as the reference and what is extra as the prediction', () => {
    const errors = pixels([...document.querySelectorAll('image:not([id])')][0].getAttribute('href')!);
    const at = (x: number, y: number): number[] => Array.from(errors.data.slice((y * 6 + x) * 4, (y * 6 + x) * 4 + 4));
    expect(at(3, 2).slice(0, 3)).toEqual([0x56, 0xb4, 0xe9]);
    expect(at(4, 2).slice(0, 3)).toEqual([0xe6, 0x9f, 0x00]);
    expect(at(0, 0)[3]).toBe(0);
  });

  it('are left out when there is none', () => {
    expect(overlaySection([], undefined)).toBeNull();
    expect(overlaySection(undefined, undefined)).toBeNull();
  });
});
