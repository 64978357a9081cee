// SPDX-License-Identifier: MIT
// What the five runs say together: what each annotation is measured against, and what the exchange of the networks adds to it.

/** Annotations that are compared with their own control, `NAME_alone`. */
export const ANNOTATIONS = ['transverse', 'budget'];

/** References of an annotation's report: its own control and the dense labels, where they were run. `summaries`: by run. */
export function referencesOf(annotation, summaries) {
  const [alone, dense] = [summaries[`${annotation}_alone`], summaries.dense];
  return [
    { role: 'published', name: 'SA-Net paper, LUNA16', dice: 76.0, boundaryF1: 78.7, note: 'other data, other splits' },
    ...(dense ? [{ role: 'upper bound', name: 'dense labels', summary: dense }] : []),
    ...(alone ? [{ role: 'baseline', name: `sparse labels alone (${annotation})`, summary: alone }] : []),
  ];
}

/** The runs that an annotation's report compares with it. */
export const comparedWith = (annotation, done) => [`${annotation}_alone`, 'dense'].filter((name) => done.includes(name));

/** Lines of mean and interval, then of the paired difference of SA-Net and its control on the same cases. */
export function table(summaries, compareRuns) {
  const signed = (v) => `${v < 0 ? '-' : '+'}${Math.abs(v).toFixed(1)}`;
  const show = ({ mean, ci }) => `${mean === null ? '-' : mean.toFixed(1)}${ci ? ` [${ci.map((v) => v.toFixed(1)).join(', ')}]` : ''}`;
  const lines = [`${'run'.padEnd(18)}  ${'Dice %'.padEnd(21)}  boundary F1 %`];
  for (const [
    name,
    {
      foreground: { metrics },
    },
  ] of Object.entries(summaries))
    lines.push(`${name.padEnd(18)}  ${show(metrics.Dice).padEnd(21)}  ${show(metrics.BF)}`);
  for (const annotation of ANNOTATIONS) {
    const [own, alone] = [summaries[annotation], summaries[`${annotation}_alone`]];
    if (!own || !alone) continue;
    lines.push('', `${annotation}: SA-Net minus sparse labels alone, paired, 95 % interval`);
    for (const [metric, title] of [
      ['Dice', 'Dice'],
      ['BF', 'boundary F1'],
    ]) {
      const [{ difference, ci, n_cases: n, p }] = compareRuns(
        { name: 'alone', summaries: [alone] },
        [{ name: annotation, summaries: [own] }],
        metric,
      );
      lines.push(
        difference === null
          ? `  ${title}: no case in common`
          : `  ${title.padEnd(12)} ${signed(difference)} points${ci ? ` [${ci.map(signed).join(', ')}]` : ''}, ${n} cases, Wilcoxon ` +
              `p ${p === null ? '-' : p < 1e-4 ? '< 0.0001' : p.toFixed(4)}`,
      );
    }
  }
  return lines.join('\n');
}
