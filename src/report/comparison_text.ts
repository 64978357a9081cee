// SPDX-License-Identifier: MIT
// A comparison as CSV (numbers as they are) and as LaTeX (tables with booktabs). Names are the user's: spreadsheets and TeX must not obey
// them.

import { COMPARED, type MethodTable } from '../metrics/compare_methods.ts';
import { differenceCells, metricCells, millions, perIteration, TITLES, type Comparison } from './comparison.ts';
import { csvText } from './csv.ts';
import { fixed } from './format.ts';

const tablesOf = ({ methods, ablation }: Comparison): { name: string; table: MethodTable }[] => [
  { name: 'methods', table: methods },
  ...(ablation ? [{ name: 'ablation', table: ablation }] : []),
];

/** One line a method and table; undefined values are empty. Differences are those from the reference, p-values are Holm's. */
export function comparisonCsv(comparison: Comparison): string {
  const head = [
    'table',
    'method',
    'reference',
    'runs',
    'cases',
    ...COMPARED.flatMap((m) =>
      [
        'mean',
        'std',
        'low',
        'high',
        'defined',
        'undefined',
        'difference',
        'difference_low',
        'difference_high',
        'pairs',
        'unpaired',
        'p_wilcoxon',
        'p_holm',
        'significantly_best',
      ].map((what) => `${m}_${what}`),
    ),
    'parameters',
    'seconds_per_iteration',
  ];
  const lines = tablesOf(comparison).flatMap(({ name, table }) =>
    table.rows.map((row) =>
      [
        name,
        csvText(row.name),
        csvText(table.reference),
        row.n_runs,
        row.n_cases,
        ...COMPARED.flatMap((m) => {
          const a = row.metrics[m],
            d = row.against?.[m];
          return [
            a.mean,
            a.std,
            a.ci?.[0],
            a.ci?.[1],
            a.n_defined,
            row.without[m],
            d?.difference,
            d?.ci?.[0],
            d?.ci?.[1],
            d?.n_cases,
            d?.n_unpaired,
            d?.p,
            d?.p_holm,
            row.best.includes(m) ? 1 : 0,
          ];
        }),
        row.parameters,
        row.seconds,
      ]
        .map((cell) => cell ?? '')
        .join(','),
    ),
  );
  return `${head.join(',')}\n${lines.join('\n')}\n`;
}

const SPECIAL: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '{': '\\{',
  '}': '\\}',
  $: '\\$',
  '&': '\\&',
  '#': '\\#',
  '%': '\\%',
  _: '\\_',
  '^': '\\textasciicircum{}',
  '~': '\\textasciitilde{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': '\\textquotedbl{}',
  '[': '{[}',
  ']': '{]}',
  '−': '$-$',
  '±': '$\\pm$',
  '–': '--',
  '∞': '$\\infty$',
  Δ: '$\\Delta$',
  '’': "'",
};

const GREEK =
  'αalpha βbeta γgamma δdelta εvarepsilon ζzeta ηeta θtheta ιiota κkappa λlambda μmu νnu ξxi πpi ρrho σsigma τtau φvarphi χchi ψpsi ωomega';
for (const each of GREEK.split(' ')) Object.assign(SPECIAL, { [each[0]]: `$\\${each.slice(1)}$` });

/** Text that TeX prints and does not obey. Brackets are wrapped: after a line end they would be an argument. */
export const latexText = (text: string): string =>
  text
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .replace(/[\\{}$&#%_^~<>|"[\]−±–∞Δ’α-ω]/g, (c) => SPECIAL[c] ?? c);

/** What pdfTeX knows without further packages: Latin letters of Europe and what `latexText` writes. */
const BEYOND_LATIN = /[^\u0000-\u017f\u2018-\u201e−±–∞Δ’αβγδεζηθικλμνξπρστφχψω]/u;

/** Names longer than this are broken into lines. */
const LONG_NAME = 22;

/** A table that is as wide as its text, or shrinks to that; below each value, small, its interval. */
export function comparisonLatex(comparison: Comparison): string {
  const percent = fixed(comparison.level * 100, 0);
  const bold = (text: string, best: boolean): string => (best ? `\\textbf{${latexText(text)}}` : latexText(text));
  const above = (value: string, below: string): string =>
    `\\begin{tabular}[t]{@{}r@{}}${value}\\\\{\\scriptsize ${latexText(below)}}\\end{tabular}`;
  const one = ({ name, table }: { name: string; table: MethodTable }): string => {
    const rows = table.rows.map((row) => {
      const d = differenceCells(row);
      return [
        latexText(row.name),
        ...COMPARED.map((m) => {
          const c = metricCells(row, m);
          return above(bold(c.mean, c.best), [c.interval, c.without].filter(Boolean).join(', '));
        }),
        ...(d ? [above(latexText(d.difference), d.interval), latexText(d.p)] : ['reference', '--']),
        latexText(millions(row.parameters)),
        latexText(perIteration(row.seconds)),
      ].join(' & ');
    });
    const heads = [
      ['Method', ''],
      ...COMPARED.map((m) => [TITLES[m], m === 'HD95' ? 'mm' : '%']),
      ['Δ Jaccard', 'points'],
      ['p', 'Holm'],
      ['Parameters', ''],
      ['Iteration', ''],
    ].map(([title, unit]) => (unit === '' ? title : above(latexText(title), unit)));
    const without = table.rows.some((row) => COMPARED.some((m) => metricCells(row, m).without !== ''));
    const caption =
      `${name === 'methods' ? 'Methods' : 'Ablation'}: mean ± standard deviation over cases and, below, the ${percent} % bootstrap ` +
      `interval of the mean; differences from ${table.reference} over paired cases; p: Wilcoxon signed-rank test on the Jaccard ` +
      'index, Holm. Bold: significantly better than every other method.' +
      (without ? ' Without: cases (times classes and runs) of which the metric is undefined, a mask being empty.' : '');
    const first = table.rows.some((row) => row.name.length > LONG_NAME) ? '>{\\raggedright\\arraybackslash}p{10em}' : 'l';
    return [
      '\\begin{table}',
      '\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\\setlength{\\belowcaptionskip}{4pt}',
      `\\caption{${latexText(caption).replaceAll(' \\%', '~\\%')}}`,
      '\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%',
      `\\begin{tabular}{${first}${'r'.repeat(heads.length - 1)}}`,
      '\\toprule',
      `${heads.join(' & ')} \\\\`,
      '\\midrule',
      rows.map((row) => `${row} \\\\`).join('\n\\addlinespace\n'),
      '\\bottomrule',
      '\\end{tabular}}',
      '\\end{table}',
    ].join('\n');
  };
  const tables = tablesOf(comparison);
  const beyond = tables.some(({ table }) => table.rows.some((row) => BEYOND_LATIN.test(row.name.normalize('NFC'))));
  return [
    '% Made by voxelgrad compare. Needs \\usepackage{array,booktabs,graphicx} and, with pdfLaTeX, \\usepackage[T1]{fontenc}.',
    ...(beyond ? ['% Names hold letters that pdfLaTeX has not: compile with LuaLaTeX or XeLaTeX and a font that has them.'] : []),
    ...comparison.notices.map((notice) => `% ${latexText(notice)}`),
    ...tables.map((each, i) => `${i > 0 ? '\n' : ''}${one(each)}`),
    '',
  ].join('\n');
}
