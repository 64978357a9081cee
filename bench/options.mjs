// SPDX-License-Identifier: MIT
// The command lines of this folder: what cannot be meant is said in a line, with what can, before anything runs.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** Ends the process with a line for whoever asked. @returns {never} */
export function refuse(message) {
  console.error(message);
  process.exit(2);
}

/** What `work` gives; what it throws refuses. */
export async function orRefuse(work) {
  try {
    return await work();
  } catch (e) {
    return refuse([e.message, e.hint].filter(Boolean).join(' '));
  }
}

/** Options of the command line by name. `--help` shows `help`: the remark that the script begins with, where it has no other. */
export function options(known, help = remarkOf(process.argv[1])) {
  let flags;
  try {
    flags = parseArgs({ options: { ...known, help: { type: 'boolean' } } }).values;
  } catch (e) {
    refuse(`${e.message}\n\n${help}`);
  }
  if (flags.help) {
    console.log(help);
    process.exit(0);
  }
  return flags;
}

const remarkOf = (script) =>
  /^(?:#!.*\n)?.*\n((?:\/\/ .*\n)+)/
    .exec(readFileSync(script, 'utf8'))[1]
    .replace(/^\/\/ /gm, '')
    .trim();

/** `name`, which is one of `names`. */
export const oneOf = (flag, name, names) => (names.includes(name) ? name : refuse(`${flag}: got "${name}", expected ${names.join(', ')}.`));

export function numberAbove0(flag, text) {
  const number = Number(text);
  return number > 0 ? number : refuse(`${flag}: got "${text}", expected a number above 0.`);
}

export function count(flag, text) {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : refuse(`${flag}: got "${text}", expected a whole number above 0.`);
}

export function pattern(flag, text) {
  try {
    return new RegExp(text);
  } catch (e) {
    return refuse(`${flag}: got "${text}", expected a regular expression (${e.message}).`);
  }
}

/** Of `cases` those whose name matches `--case`, at least one. */
export function casesOf(text, cases) {
  const chosen = cases.filter(({ name }) => pattern('--case', text).test(name));
  return chosen.length > 0
    ? chosen
    : refuse(`--case: got "${text}", which matches none of ${[...new Set(cases.map(({ name }) => name))].join(', ')}.`);
}
