// SPDX-License-Identifier: MIT
// run.json as others may have changed it: what later verbs read of it is of the right type, where it is there. More fields are let be.
import * as z from 'zod';
import { summarySchema } from '../metrics/summary_schema.ts';

const text = z.string().optional();
const number = z.number().nullish();
const numbers = z.record(z.string(), z.number()).optional();

export const runRecordSchema = z.looseObject({
  dataset: text,
  evaluated: text,
  ensemble: text,
  labelSource: text,
  predictedWith: z.array(z.string()).optional(),
  evaluations: z.looseObject({ headline: text, networks: z.record(z.string(), z.string()).optional(), training: text }).optional(),
  fold: z.looseObject({ train: z.array(z.string()).optional(), selection: z.array(z.string()).optional() }).optional(),
  annotation: z.looseObject({ scheme: z.string(), voxels: number, transverse: number, coronal: number }).optional(),
  references: z
    .array(
      z.looseObject({
        role: z.enum(['upper bound', 'baseline', 'published']),
        name: z.string(),
        summary: summarySchema.optional(),
        dice: number,
        boundaryF1: number,
        note: text,
      }),
    )
    .optional(),
  stages: z.array(z.looseObject({ name: z.string(), seconds: z.number(), peakBytes: number })).optional(),
  machine: z.looseObject({ adapter: text, driver: text, backend: text, host: text, limits: numbers }).optional(),
  provenance: z
    .looseObject({
      datasets: z.array(z.looseObject({ name: z.string(), licence: text, hash: text, cases: number, source: text })).optional(),
      command: text,
      seeds: numbers,
      version: text,
      commit: text,
      runtime: text,
      limitations: z.array(z.string()).optional(),
    })
    .optional(),
});
