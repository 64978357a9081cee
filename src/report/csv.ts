// SPDX-License-Identifier: MIT
// Names in CSV files, which spreadsheets open.

/**
 * A name in a CSV file. Spreadsheets compute what begins like a formula, whoever named the case: an apostrophe before it makes it a
 * text. Quoted where a separator of any language's spreadsheet, a quote or a line end is in it.
 */
export function csvText(text: string): string {
  const safe = /^\s*[=+\-@＝＋－＠\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",;\t\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
