// SPDX-License-Identifier: MIT
// Part 9: what is needed to repeat the run and to judge its numbers.

import type { Summary } from '../metrics/summary.ts';
import { fixed } from './format.ts';
import { html, Html } from './html.ts';
import type { Provenance } from './input.ts';
import { thetaText } from './section_verdict.ts';

export function provenanceSection(provenance: Provenance | undefined): Html | null {
  if (!provenance) return null;
  const { datasets = [], command, seeds, version, commit, runtime, plan, limitations = [] } = provenance;
  const facts: [string, string | undefined][] = [
    ['Version', [version && `voxelgrad ${version}`, commit && `commit ${commit}`].filter(Boolean).join(', ')],
    ['Runtime', runtime],
    [
      'Seeds',
      seeds &&
        Object.entries(seeds)
          .map(([name, value]) => `${name} ${value}`)
          .join(', '),
    ],
  ];
  const known = facts.filter(([, value]) => value);
  return html` ${
    limitations.length > 0 &&
    html`<h3>Limits</h3>
      <ul>
        ${limitations.map((text) => html`<li>${text}</li>`)}
      </ul>`
  }
  ${
    datasets.length > 0 &&
    html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Data set</th>
            <th scope="col">Cases</th>
            <th scope="col" class="text">Licence</th>
            <th scope="col" class="text">Source</th>
            <th scope="col" class="text">Hash</th>
          </tr>
        </thead>
        <tbody>
          ${datasets.map(
            ({ name, cases, licence, source, hash }) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td>${cases}</td>
                <td class="text">${licence ?? 'not stated'}</td>
                <td class="text">${source}</td>
                <td class="text"><code>${hash}</code></td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`
  }
  ${
    known.length > 0 &&
    html`<dl>
      ${known.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>`
  }
  ${
    command &&
    html`<h3>Command that repeats the run</h3>
      <pre>${command}</pre>`
  }
  ${
    plan !== undefined &&
    html`<details>
      <summary>Plan</summary>
      <pre>${JSON.stringify(plan, null, 2)}</pre>
    </details>`
  }`;
}

/** How the numbers are defined, for the settings of this evaluation. */
export function methodsSection(summary: Summary | undefined): Html | null {
  if (!summary) return null;
  const { settings: s } = summary;
  return html`<dl>
    <dt>Dice, Jaccard</dt>
    <dd>
      Voxel overlap per case and class. Undefined when reference and prediction are both empty, 0 when one is; means run over the defined
      pairs, first over cases, then over classes.
    </dd>
    <dt>Boundary F1</dt>
    <dd>
      Harmonic mean of the shares of predicted and reference boundary voxels that have a counterpart within θ = ${thetaText(s.theta)}
      (${s.theta_rule}); in slices: θ = ${thetaText(s.theta_2d)}.
    </dd>
    <dt>Surface distances</dt>
    <dd>
      Between centres of boundary voxels, in mm with the voxel spacing; undefined when a mask is empty. The face where a crop ends is not
      scored as boundary.
    </dd>
    <dt>Volume difference</dt>
    <dd>(prediction − reference) / reference, signed.</dd>
    <dt>Intervals</dt>
    <dd>
      Percentile bootstrap over cases, ${fixed(s.level * 100, 0)} %, ${s.resamples} resamples, seed ${s.seed}. Several lesions of one
      patient count as separate cases.
    </dd>
    ${
      s.ignore_label !== null &&
      html`<dt>Ignored voxels</dt>
        <dd>Voxels with reference label ${s.ignore_label} do not count; surfaces of such references are not scored.</dd>`
    }
  </dl>`;
}
