// SPDX-License-Identifier: MIT
// Small words for people: aligned columns, shares, times, and command lines to paste.

/** Columns as wide as their widest cell, two spaces apart. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

/**
 * A word as a shell takes it back, whatever is in it: control characters, which a terminal would obey, in $'' as bash, zsh and POSIX 2024
 * read it.
 */
export function shellWord(word: string): string {
  if (/^[\w./:=,+@%][\w./:=,+@%-]*$|^--?[\w-]+$/.test(word)) return word;
  if (process.platform === 'win32') return `"${word.replaceAll('"', '""')}"`;
  if (!/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(word)) return `'${word.replaceAll("'", "'\\''")}'`;
  const bytes = (char: string): string =>
    [...new TextEncoder().encode(char)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return `$'${word.replace(/['\\]/g, '\\$&').replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, bytes)}'`;
}

export const commandLine = (words: readonly string[]): string => ['voxelgrad', ...words.map(shellWord)].join(' ');

/** Seconds in two units at most, rounded before they are divided. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(10, Math.round(seconds * 100) * 10)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return hours < 72 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

/** The time left as words, by the mean pace since the first call; nothing until there is one. */
export function timeLeft(): (done: number, total: number) => string {
  let first: { readonly done: number; readonly time: number } | undefined;
  return (done, total) => {
    first ??= { done, time: performance.now() };
    if (done <= first.done || done >= total) return '';
    return `about ${duration(((performance.now() - first.time) / 1000 / (done - first.done)) * (total - done))} left`;
  };
}
