// SPDX-License-Identifier: MIT
// The small CSV files that come with LIDC and LUNA16: a header line, commas, optional double quotes.
import { DataError } from '../../../../errors.ts';
import { readBytes } from '../../../../files/regular.ts';

/** Bytes; LUNA16's annotations have 200,000. */
const MOST = 2 ** 28;

/** Rows as objects by column name. DataError naming the file if it or one of `columns` is missing, or a row is short. */
export async function readCsv(file: string, columns: readonly string[]): Promise<Record<string, string>[]> {
  const text = new TextDecoder().decode(readBytes(file, MOST));
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
  const split = (line: string): string[] =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((m) => (m[1]?.replaceAll('""', '"') ?? m[2] ?? '').trim());
  const header = split(lines[0] ?? '');
  const missing = columns.filter((c) => !header.includes(c));
  if (missing.length > 0)
    throw new DataError(
      `${file}: lacks columns, got ${header.join(', ') || 'nothing'}, expected ${columns.join(', ')}.`,
      'Use the file that came with the data.',
    );
  return lines.slice(1).map((line, i) => {
    const cells = split(line);
    if (cells.length !== header.length)
      throw new DataError(`${file}: line ${i + 2}, got ${cells.length} cells, expected ${header.length}.`);
    return Object.fromEntries(header.map((name, k) => [name, cells[k]]));
  });
}

/** A finite number of a CSV cell; DataError naming file and column. */
export function csvNumber(file: string, row: Record<string, string>, column: string): number {
  const value = Number(row[column]);
  if (row[column] === '' || !Number.isFinite(value))
    throw new DataError(`${file}: column ${column}, got "${row[column]}", expected a number.`);
  return value;
}
