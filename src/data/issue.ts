// SPDX-License-Identifier: MIT
// What a schema has against a value, in words: found and expected, without the library's jargon.
import type * as z from 'zod';

/** As much of a value as is ever shown: a text or a list may be megabytes long. */
function head(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, 64);
  if (Array.isArray(value)) return value.slice(0, 32).map(head);
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(
        Object.entries(value)
          .slice(0, 16)
          .map(([key, inner]) => [key.slice(0, 64), head(inner)]),
      )
    : value;
}

/** A value as JSON, cut to a line. */
export const show = (value: unknown): string => {
  const text = JSON.stringify(head(value)) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const WORDS: Readonly<Record<string, string>> = {
  array: 'a list',
  object: 'an object',
  record: 'an object',
  int: 'a whole number',
  boolean: 'true or false',
  string: 'a text',
};

/** What would have been right. */
export function expectedOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return WORDS[issue.expected] ?? `a ${issue.expected}`;
    case 'invalid_value':
      return issue.values.map((v) => JSON.stringify(v)).join(' or ');
    case 'too_small':
      return issue.origin === 'array'
        ? `at least ${issue.minimum} entries`
        : `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array' ? `at most ${issue.maximum} entries` : `at most ${issue.maximum}`;
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    case 'invalid_union':
      return [...new Set(issue.errors.flat().map(expectedOf))].join(', or ');
    default:
      return issue.message.replace(/^expected /, '');
  }
}

/** What was found at the path of an issue. */
export const foundAt = (issue: z.core.$ZodIssue, value: unknown): unknown =>
  issue.path.reduce<unknown>((v, key) => (v as Record<PropertyKey, unknown> | null | undefined)?.[key], value);

/** Every disagreement with `value`, below `field`: `field.path: got ..., expected ...`. */
export const issueTexts = (error: z.ZodError, value: unknown, field = ''): string[] =>
  error.issues.flatMap((issue) => {
    const path = [...(field ? [field] : []), ...issue.path.map(String)];
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${[...path, key].join('.')}: unknown field`);
    return [`${path.length ? `${path.join('.')}: ` : ''}got ${show(foundAt(issue, value))}, expected ${expectedOf(issue)}`];
  });

/** The first of them. */
export const issueText = (error: z.ZodError, value: unknown, field = ''): string => issueTexts(error, value, field)[0];
