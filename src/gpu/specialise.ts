// SPDX-License-Identifier: MIT
// Linked kernel text as data: which lines may be rewritten, rewriting them, and where a line came from.
// Pure string work, used by build.mjs and at run time; callers cache the result.
import { KernelCompileError } from '../errors.ts';
import type { KernelDef } from './kernel.ts';

// `alias T = f32; // @spec f32 f16`, `const TM = 4u; // @spec 1u 2u 4u`, `let r = a + b; // @spec *` (any expression), and
// `alias A = f32; // @spec T: f32 f32`: follows T, with one value for each of T's values, in T's order.
const SPEC_LINE = /^(\s*(?:alias|const|let|var)\s+(\w+)\s*(?::[^=]+)?=\s*)(.+?)(;\s*\/\/\s*@spec\b(.*))$/;

export interface SpecLine {
  /** What a caller chooses: the declared name, or the name that this line follows. */
  readonly name: string;
  readonly follows: boolean;
  /** Line of the linked text, from 1. */
  readonly line: number;
  /** Allowed values, the default first; `['*']` = any expression. Of a follower: its own values. */
  readonly values: readonly string[];
}

/** The tagged lines of a linked text. @throws KernelCompileError `line N: ...` for a tag that cannot be used. */
export function specLines(wgsl: string): SpecLine[] {
  const out: SpecLine[] = [];
  for (const [i, text] of wgsl.split('\n').entries()) {
    if (!/;\s*\/\/\s*@spec\b/.test(text)) continue;
    const m = SPEC_LINE.exec(text);
    const listed = m?.[5].trim().split(/\s+/) ?? [''];
    if (!m || listed[0] === '')
      throw new KernelCompileError(
        `line ${i + 1}: a @spec line is \`alias|const|let|var NAME = VALUE; // @spec VALUES\`, got \`${text.trim()}\`.`,
      );
    const leader = /^(\w+):$/.exec(listed[0])?.[1];
    const values = leader ? listed.slice(1) : listed[0] === '*' ? ['*'] : [m[3], ...listed.filter((v) => v !== m[3])];
    out.push({ name: leader ?? m[2], follows: leader !== undefined, line: i + 1, values });
  }
  for (const follower of out.filter((s) => s.follows)) {
    const leader = out.find((s) => s.name === follower.name && !s.follows);
    if (
      leader?.values.length !== follower.values.length ||
      !wgsl.split('\n')[leader.line - 1].includes(`@spec ${leader.values.join(' ')}`)
    ) {
      throw new KernelCompileError(
        `line ${follower.line}: got ${follower.values.length} values for the ${leader?.values.length ?? 0} of ${follower.name}, ` +
          'whose first must be its default.',
      );
    }
  }
  return out;
}

/** `def.wgsl` with the tagged lines rewritten. Line numbers stay, so `sourceLine` works on the result too. */
export function specialise(def: Pick<KernelDef, 'file' | 'entry' | 'wgsl' | 'spec'>, spec: Readonly<Record<string, string>>): string {
  const where = `kernels/${def.file} ${def.entry}`;
  for (const [name, value] of Object.entries(spec)) {
    const allowed = def.spec[name];
    if (!allowed)
      throw new KernelCompileError(`${where}: unknown spec ${name}, expected one of ${Object.keys(def.spec).join(', ') || '(none)'}.`);
    if (/[\n;]/.test(value) || (allowed[0] !== '*' && !allowed.includes(value))) {
      throw new KernelCompileError(
        `${where}: spec ${name}, got ${value}, expected ${allowed[0] === '*' ? 'one expression' : allowed.join(' or ')}.`,
      );
    }
  }
  const lines = def.wgsl.split('\n');
  for (const { name, follows, line, values } of specLines(def.wgsl)) {
    if (!Object.hasOwn(spec, name)) continue;
    const value = follows ? values[def.spec[name].indexOf(spec[name])] : spec[name];
    const [, before, , , after] = SPEC_LINE.exec(lines[line - 1])!;
    lines[line - 1] = before + value + after;
  }
  const f16 = Object.values(spec).some((value) => /\bf16\b/.test(value));
  return (f16 ? 'enable f16; ' : '') + lines.join('\n');
}

/** `kernels/FILE:line` of a line (from 1) of linked text. `// @line FILE:N` says that the next line is line N of FILE. */
export function sourceLine(file: string, wgsl: string, line: number): string {
  const lines = wgsl.split('\n');
  for (let i = Math.min(line, lines.length) - 2; i >= 0; i--) {
    const m = /^\/\/ @line (\S+):(\d+)$/.exec(lines[i]);
    if (m) return `kernels/${m[1]}:${Number(m[2]) + line - 2 - i}`;
  }
  return `kernels/${file}:${line}`;
}
