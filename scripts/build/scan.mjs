// SPDX-License-Identifier: MIT
// Module-scope declarations of a WGSL text and what each of them mentions. wgsl_reflect alone is not enough: 1.6.0 counts a
// local that shadows a binding as a use of it, and misses overrides used inside functions. Dawn checks the result (validate.mjs).

const KEYWORD = /^(?:@[\s\S]*?)?\b(fn|struct|alias|const|override|var|const_assert)\b/;

/** Same length and lines, comments blanked. */
export function blankComments(text) {
  return text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (c) => c.replace(/[^\n]/g, ' '));
}

/** @returns {{kind: string, name: string, text: string, start: number, line: number, endLine: number, uses: Set<string>}[]} */
export function scan(wgsl) {
  const text = blankComments(wgsl);
  const out = [];
  let depth = 0,
    start = 0,
    line = 1,
    startLine = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\n') line++;
    else if (startLine === 0 && !/\s/.test(c)) {
      start = i;
      startLine = line;
    }
    if (c === '{') depth++;
    if (c === '}') depth--;
    if (depth === 0 && (c === ';' || c === '}') && startLine > 0) {
      const decl = declaration(text.slice(start, i + 1));
      if (decl) out.push({ ...decl, start, line: startLine, endLine: line });
      startLine = 0;
    }
  }
  return out;
}

function declaration(text) {
  const body = text.indexOf('{');
  const head = text.slice(0, body < 0 ? undefined : body);
  const kind = KEYWORD.exec(head)?.[1];
  if (!kind) return undefined;
  const name = kind === 'const_assert' ? '' : new RegExp(`\\b${kind}\\b\\s*(?:<[^>]*>)?\\s*(\\w+)`).exec(head)[1];
  const uses = new Set();
  for (const m of text.matchAll(/(?<![\w.@])[A-Za-z_]\w*/g)) uses.add(m[0]);
  uses.delete(name);
  if (kind === 'fn') for (const local of locals(text)) uses.delete(local);
  return { kind, name, text, uses };
}

// Parameters and local declarations. A name that is local anywhere in a function counts as local in all of it.
function locals(fn) {
  const open = fn.indexOf('(', fn.indexOf('fn '));
  let close = open;
  for (let depth = 0; close < fn.length; close++) {
    if (fn[close] === '(') depth++;
    if (fn[close] === ')' && --depth === 0) break;
  }
  const parameters = [...fn.slice(open, close).matchAll(/(\w+)\s*:/g)].map((m) => m[1]);
  const declared = [...fn.slice(close).matchAll(/\b(?:let|var|const)\b\s*(?:<[^>]*>)?\s*(\w+)\s*[:=;]/g)].map((m) => m[1]);
  return [...parameters, ...declared];
}

/** Names of the declarations that `entry` reaches, itself included. */
export function reach(declarations, entry) {
  const byName = new Map(declarations.map((d) => [d.name, d]));
  const seen = new Set();
  const todo = [entry];
  while (todo.length) {
    const name = todo.pop();
    if (seen.has(name) || !byName.has(name)) continue;
    seen.add(name);
    todo.push(...byName.get(name).uses);
  }
  return seen;
}
