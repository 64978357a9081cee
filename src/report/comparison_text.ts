// SPDX-License-Identifier: MIT
// A comparison as CSV (numbers as they are) and as LaTeX (tables with booktabs). Names are the user's: spreadsheets and TeX must not obey them.

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

/** Text that TeX prints and does not obey. Brackets are wrapped: after a line end they would be an argument. */
export const latexText = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').replace(/[\\{}$&#%_^~<>|"[\]−±–∞Δ’]/g, (c) => SPECIAL[c]);

export function comparisonLatex(comparison: Comparison): string {
  const percent = fixed(comparison.level * 100, 0);
  const one = ({ name, table }: { name: string; table: MethodTable }): string => {
    const bold = (text: string, best: boolean): string => (best ? `\\textbf{${latexText(text)}}` : latexText(text));
    const rows = table.rows.map((row) => {
      const d = differenceCells(row);
      const cells = COMPARED.flatMap((m) => {
        const c = metricCells(row, m);
        return [bold(c.mean, c.best), ...(m === 'IoU' ? [latexText(c.interval)] : [])];
      });
      return [
        latexText(row.name),
        ...cells,
        ...(d ? [`${d.difference} (${d.interval})`, d.p] : ['reference', '–']).map(latexText),
        latexText(millions(row.parameters)),
        latexText(perIteration(row.seconds)),
      ].join(' & ');
    });
    const heads = [
      'Method',
      ...COMPARED.flatMap((m) => [`${TITLES[m]}${m === 'HD95' ? ' (mm)' : ' (%)'}`, ...(m === 'IoU' ? [`${percent} % interval`] : [])]),
      'Δ Jaccard',
      'p',
      'Parameters',
      'Iteration',
    ];
    const caption = `${name === 'methods' ? 'Methods' : 'Ablation'}: mean ± standard deviation over cases; differences from ${table.reference} over paired cases with ${percent} % bootstrap intervals; p: Wilcoxon signed-rank test on the Jaccard index, Holm. Bold: significantly better than every other method.`;
    return [
      '\\begin{table}',
      '\\centering',
      `\\caption{${latexText(caption)}}`,
      `\\begin{tabular}{l${'r'.repeat(heads.length - 1)}}`,
      '\\toprule',
      `${heads.map(latexText).join(' & ')} \\\\`,
      '\\midrule',
      ...rows.map((row) => `${row} \\\\`),
      '\\bottomrule',
      '\\end{tabular}',
      '\\end{table}',
    ].join('\n');
  };
  return `% Made by voxelgrad compare. Needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}.\n${comparison.notices.map((notice) => `% ${latexText(notice)}\n`).join('')}${tablesOf(comparison).map(one).join('\n\n')}\n`;
}
