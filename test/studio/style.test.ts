// SPDX-License-Identifier: MIT
// What can be read can be read by everyone: WCAG AA contrast of the style sheet's colours, no text under 12 px, nothing from elsewhere.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CLASS_COLOURS } from '../../src/studio/protocol.ts';

const css = readFileSync(new URL('../../src/studio/static/studio.css', import.meta.url), 'utf8');
const html = readFileSync(new URL('../../src/studio/static/index.html', import.meta.url), 'utf8');
const variables = Object.fromEntries([...css.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1], m[2]]));

/** Relative luminance, as WCAG 2 defines it. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const c = parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const contrast = (a: string, b: string): number => {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
};

describe('the style sheet', () => {
  it('computes contrast as WCAG does', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 9);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
  });

  const grounds = ['ground', 'panel', 'raised'];
  it.each(['ink', 'soft', 'accent', 'yes', 'warn', 'bad'].flatMap((text) => grounds.map((ground) => [text, ground])))(
    '%s is read on %s',
    (text, ground) => expect(contrast(variables[text], variables[ground])).toBeGreaterThanOrEqual(4.5),
  );
  it('buttons are read, and controls are told from what is behind them', () => {
    expect(contrast(variables['on-accent'], variables.accent)).toBeGreaterThanOrEqual(4.5);
    expect(contrast('#ffffff', '#0d3a52')).toBeGreaterThanOrEqual(4.5);
    expect(contrast(variables['line-strong'], variables.panel)).toBeGreaterThanOrEqual(3);
    for (const colour of ['#5cc8ff', '#ffb454', '#7ee081', '#ff8fc7'])
      expect(contrast(colour, variables.panel)).toBeGreaterThanOrEqual(4.5);
  });
  it('classes are told from the dark of a scan, nine of them from one another', () => {
    for (const colour of CLASS_COLOURS) expect(contrast(colour, '#000000')).toBeGreaterThanOrEqual(4.5);
    expect(new Set(CLASS_COLOURS).size).toBe(9);
  });
  it('dresses components of at most 200 lines', () => {
    const page = new URL('../../src/studio/page/', import.meta.url);
    const long = readdirSync(page).filter(
      (name) => name.endsWith('.tsx') && readFileSync(new URL(name, page), 'utf8').split('\n').length > 201,
    );
    expect(long).toEqual([]);
  });
  it('has no text under 12 px', () => {
    const sizes = [...css.matchAll(/font(?:-size)?:[^;]*?(\d+(?:\.\d+)?)px/g)].map((m) => Number(m[1]));
    expect(sizes.length).toBeGreaterThan(20);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(12);
  });
  it('asks for nothing from elsewhere, and holds no script or style of its own', () => {
    expect(css).not.toMatch(/url\(|@import|https?:/);
    expect(html).not.toMatch(/https?:|<style|style=|\bon[a-z]+=/);
    expect(html.match(/<script[^>]*>/g)).toEqual(['<script type="module" src="page.js">']);
    expect(html).toContain("default-src 'self'; connect-src 'self'");
  });
});
