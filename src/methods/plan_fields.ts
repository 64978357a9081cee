// SPDX-License-Identifier: MIT
// Fields that schemas of plans are made of. A value outside a range is a mistake, not a preference: ranges are wide.
import * as z from 'zod';

export const number = (min: number, max: number) => z.number().min(min).max(max);
export const integer = (min: number, max: number) => z.int().min(min).max(max);
export const share = () => number(0, 1);
export const flag = () => z.boolean();
export const rate = () => number(1e-8, 1);
export const triple = <T extends z.ZodType>(item: T) => z.tuple([item, item, item]);

/**
 * A choice between readings of the paper. `built` values run; `specified` ones are alternatives that the specification describes and this
 * version does not build: they are refused by name, never ignored. Sizes with one built value are literals for the same reason.
 */
export function choice<const T extends string>(built: readonly [T, ...T[]], specified: readonly string[] = []) {
  return z.string().superRefine((value, context) => {
    if ((built as readonly string[]).includes(value)) return;
    const known = specified.includes(value) ? ', a reading that the specification describes and this version does not build' : '';
    context.addIssue({ code: 'custom', message: `got "${value}"${known}, expected ${built.map((v) => `"${v}"`).join(' or ')}` });
  }) as unknown as z.ZodType<T, string>;
}
