// SPDX-License-Identifier: MIT
// What a file says of an adapter: `voxelgrad doctor --json`, and beside it "rates", "profile" and "why" as in adapters/nvidia-h200.json.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { refuse } from './options.mjs';

export const H200 = join(import.meta.dirname, 'adapters/nvidia-h200.json');

const isText = (v) => typeof v === 'string';
const isAbove0 = (v) => typeof v === 'number' && v > 0;
const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBuffersPerShaderStage',
];
const RATES = ['processors', 'gflops', 'gbs', 'dispatch_us', 'efficiency'];
const NUMBER = 'a number above 0';
const FIELDS = [
  ['adapter.name', 'a text', isText],
  ['adapter.vendor', 'a text', isText],
  ['features', 'a list of texts', (v) => Array.isArray(v) && v.every(isText)],
  ...LIMITS.map((name) => [`limits.${name}`, NUMBER, isAbove0]),
];
const OWN_RATES = RATES.map((name) => [`rates.${name}`, NUMBER, isAbove0]);
const MAKE_ONE = 'On the machine with the adapter `npx voxelgrad doctor --json > adapter.json` writes one.';

/** Facts of the adapter that `file` describes. A doctor knows no rates: then they are the H200's, and `ratesOf` names it. */
export function readCaps(file) {
  const facts = readJson(file);
  if (facts?.adapter === null) refuse(`--caps: ${file} is of a machine where no adapter was found. ${MAKE_ONE}`);
  check(file, facts, FIELDS);
  if (facts.rates !== undefined) {
    check(file, facts, OWN_RATES);
    return { ...facts, ratesOf: facts.adapter.name };
  }
  const { adapter, rates } = readJson(H200);
  return { ...facts, rates, ratesOf: adapter.name };
}

function readJson(file) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (e) {
    refuse(`--caps: ${file} cannot be read (${e.code}), expected the facts of an adapter as JSON. ${MAKE_ONE}`);
  }
  try {
    return JSON.parse(text);
  } catch (e) {
    return refuse(`--caps: ${file} is no JSON (${e.message}). ${MAKE_ONE}`);
  }
}

function check(file, facts, fields) {
  for (const [path, expected, fits] of fields) {
    const value = path.split('.').reduce((inner, name) => inner?.[name], facts);
    if (!fits(value)) refuse(`--caps: ${file}: ${path}: got ${JSON.stringify(value) ?? 'nothing'}, expected ${expected}. ${MAKE_ONE}`);
  }
}
