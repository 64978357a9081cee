// SPDX-License-Identifier: MIT
// What a stranger is told of each kernel (dist/wgsl/NAME.json, docs/kernels/NAME.md): nothing is without a meaning.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Told {
  readonly about: string;
  readonly entries: readonly {
    readonly entry: string;
    readonly workgroups: string;
    readonly params: { readonly fields: Readonly<Record<string, { readonly meaning?: string }>> } | null;
    readonly bindings: readonly { readonly name: string; readonly kind: string; readonly shape?: string }[];
  }[];
}

const folder = fileURLToPath(new URL('../../dist/wgsl', import.meta.url));
const files = readdirSync(folder).filter((f) => f.endsWith('.json'));
const told = (file: string): Told => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Told;

describe('the card of', () => {
  it.each(files)('%s says what each parameter and each buffer is, and how many workgroups there are', (file) => {
    const { about, entries } = told(file);
    expect(about.length).toBeGreaterThan(30);
    const silent = entries.flatMap((e) => [
      ...Object.entries(e.params?.fields ?? {}).flatMap(([name, { meaning }]) => (meaning ? [] : [`${e.entry}: params.${name}`])),
      ...e.bindings.filter((b) => b.kind !== 'uniform' && !b.shape).map((b) => `${e.entry}: ${b.name}`),
      ...(e.workgroups ? [] : [`${e.entry}: workgroups`]),
    ]);
    expect(silent).toEqual([]);
  });

  it('conv gives each field of a line its own meaning, and tells the sign of the padding', () => {
    const { fields } = told('conv.json').entries[0].params!;
    expect(fields).toMatchObject({ gi: { meaning: 'channels of a group: in' }, go: { meaning: 'channels of a group: out' } });
    expect(fields.pad_x.meaning).toMatch(/^MINUS the padding before/);
  });
});
