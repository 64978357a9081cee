// SPDX-License-Identifier: MIT
// session.json: what a session knows besides the data set and the runs in its folder.
import type { Triple } from '../../axes.ts';
import { z } from 'zod';
import { issueText } from '../../data/issue.ts';
import type { Geometry } from '../../data/geometry.ts';
import { DataError } from '../../errors.ts';
import { parseJson } from '../../files/json.ts';
import { colourOf } from '../protocol.ts';
import { MEANING_NAMES } from './meanings.ts';

const triple = z.tuple([z.number(), z.number(), z.number()]);
const size = z.tuple([z.int().min(1), z.int().min(1), z.int().min(1)]);
const slices = z.array(z.int().min(0));
const name = z.string().min(1).max(200);

const caseSchema = z.object({
  name,
  format: z.enum(['nifti', 'nrrd', 'metaimage', 'dicom', 'phantom']),
  /** The scan, by its way within `data`. */
  image: z.string(),
  /** The grid of the file. */
  stored: z.object({
    size,
    spacing: triple,
    origin: triple,
    direction: z.array(z.number()).length(9),
    unoriented: z.literal(true).optional(),
  }),
  remarks: z.array(z.string()),
  transverse: slices,
  coronal: slices,
  /** What is drawn is not in `data` yet. */
  dirty: z.boolean(),
  masked: z.object({ run: z.int(), iteration: z.int() }).optional(),
});

const schema = z.object({
  version: z.literal(1),
  name,
  created: z.number(),
  changed: z.number(),
  classes: z
    .array(z.object({ name, colour: z.string().regex(/^#[0-9a-f]{6}$/i), meaning: z.enum(MEANING_NAMES).optional() }))
    .min(2)
    .max(255),
  cases: z.array(caseSchema),
  /** dataset.json and annotations.json are not what this record says. */
  dirty: z.boolean(),
  runs: z.array(z.object({ preset: z.string(), stopped: z.boolean() })),
});

export type CaseRecord = z.infer<typeof caseSchema>;
export type SessionRecord = z.infer<typeof schema>;

export const SESSION_FILE = 'session.json';

/** @throws DataError naming the field that is wrong */
export function parseRecord(bytes: Uint8Array, where: string): SessionRecord {
  const json = parseJson(bytes, where);
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new DataError(`${where}: ${issueText(parsed.error, json)}.`, 'It is no session, or damaged.');
  return parsed.data;
}

export const newRecord = (called: string): SessionRecord => ({
  version: 1,
  name: called,
  created: Date.now(),
  changed: Date.now(),
  classes: ['background', 'foreground'].map((each, i) => ({ name: each, colour: colourOf(i) })),
  cases: [],
  dirty: true,
  runs: [],
});

/** The grid of a record, with triples as `data/` has them. */
export const gridOf = ({ stored: { size: s, spacing, origin, direction, unoriented } }: CaseRecord): Geometry => ({
  size: [...s] as Triple,
  spacing: [...spacing] as Triple,
  origin: [...origin] as Triple,
  direction: [...direction],
  ...(unoriented && { unoriented }),
});
