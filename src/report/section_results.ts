// SPDX-License-Identifier: MIT
// Part 3: per class, per network and per case, with everything counted that a mean leaves out.

import { METRIC_UNITS, caseMean, type Group, type MetricName, type Summary } from '../metrics/summary.ts';
import { counted, decimalsOf, fixed, interval, meanStd } from './format.ts';
import { anchor, html, Html } from './html.ts';
import type { ReportInput } from './input.ts';
import { rankCases } from './overlay_choice.ts';

const COLUMNS: readonly MetricName[] = ['Dice', 'IoU', 'BF', 'BF2D', 'SurfaceDice', 'HD95', 'ASSD', 'RAVD'];

export function resultsSection({ summary, networks, overlays }: ReportInput): Html | null {
  if (!summary) return null;
  const shown = new Set(overlays?.map((overlay) => overlay.case));
  return html` <h3>Per class</h3>
    ${classTable(summary)}
    ${
      summary.training &&
      html`<h3>Cases that the model was trained on</h3>
        ${classTable(summary.training)}`
    }
    ${networks?.length ? networkTable(networks) : null} ${worstCases(summary, shown)} ${caseTable(summary, shown)}`;
}

function titleOf(name: MetricName, { settings }: Summary): Html {
  const titles: Record<MetricName, string> = {
    Dice: 'Dice',
    IoU: 'Jaccard',
    BF: 'Boundary F1',
    BF2D: 'Slice BF',
    SurfaceDice: `Surface Dice at ${settings.surface_mm} mm`,
    SurfaceDice_1mm: 'Surface Dice at 1 mm',
    SurfaceDice_2mm: 'Surface Dice at 2 mm',
    SurfaceDice_3mm: 'Surface Dice at 3 mm',
    RAVD: 'Volume difference',
    HD95: 'HD95',
    ASSD: 'ASSD',
  };
  return html`<th scope="col">${titles[name]}<small>${METRIC_UNITS[name]}</small></th>`;
}

function classTable(summary: Summary): Html {
  const { classes, foreground, settings } = summary;
  const rows: { name: string; group: Group; total: boolean }[] = [
    ...classes.map((group) => ({ name: group.name, group, total: false })),
    ...(classes.length > 1 ? [{ name: 'Mean over classes', group: foreground, total: true }] : []),
  ];
  return html`<div class="scroll">
      <table>
        <caption>
          Mean ± standard deviation over cases, below it the ${fixed(settings.level * 100, 0)} % bootstrap interval of the mean. Slice BF:
          mean boundary F1 of the transverse slices.
        </caption>
        <thead>
          <tr>
            <th scope="col">Class</th>
            ${COLUMNS.map((name) => titleOf(name, summary))}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ name, group, total }) =>
              html`<tr class="${total ? 'total' : ''}">
                <th scope="row">${name}</th>
                ${COLUMNS.map((metric) => {
                  const value = group.metrics[metric];
                  return html`<td>${meanStd(value)}<small>${interval(value.ci, decimalsOf(value.unit))}</small></td>`;
                })}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <div class="scroll">
      <table>
        <caption>
          What the means leave out, in pairs of case and class, and the means when nothing is left out (both empty: 100 % and 0 mm; one
          empty: 0 % and 50 mm).
        </caption>
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col">Pairs</th>
            <th scope="col">Scored</th>
            <th scope="col">Missed<small>prediction empty</small></th>
            <th scope="col">Not predicted<small>no mask</small></th>
            <th scope="col">Spurious<small>reference empty</small></th>
            <th scope="col">Undefined<small>both empty</small></th>
            <th scope="col">Unlabelled<small>nobody drew it</small></th>
            <th scope="col">Distances<small>defined</small></th>
            <th scope="col">Dice<small>convention, %</small></th>
            <th scope="col">HD95<small>convention, mm</small></th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ name, group: g, total }) =>
              html`<tr class="${total ? 'total' : ''}">
                <th scope="row">${total ? 'All' : name}</th>
                ${[g.n_pairs, g.n_defined, g.n_missed, g.n_not_predicted ?? 0, g.n_spurious, g.n_both_empty, g.n_unlabelled, g.metrics.HD95.n_defined].map((n) => html`<td>${n}</td>`)}
                <td>${fixed(g.convention.Dice)}</td>
                <td>${fixed(g.convention.HD95, 2)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function networkTable(networks: NonNullable<ReportInput['networks']>): Html {
  return html`<h3>Per network</h3>
    <div class="scroll">
      <table>
        <caption>
          The same cases segmented by each network alone and by all together; mean over classes.
        </caption>
        <thead>
          <tr>
            <th scope="col">Network</th>
            ${COLUMNS.map((name) => titleOf(name, networks[0].summary))}
          </tr>
        </thead>
        <tbody>
          ${networks.map(
            ({ name, summary }) =>
              html`<tr>
                <th scope="row">${name}</th>
                ${COLUMNS.map((metric) => html`<td>${meanStd(summary.foreground.metrics[metric])}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function worstCases(summary: Summary, shown: ReadonlySet<string>): Html | null {
  const ranked = rankCases(summary);
  // With five cases or fewer the table itself says it.
  if (ranked.length <= 5) return null;
  return html`<h3>Worst five cases</h3>
    <ol>
      ${ranked
        .slice(-5)
        .reverse()
        .map(
          ({ case: name, dice }) =>
            html`<li>
              <a href="#${anchor('case', name)}">${name}</a>, Dice ${fixed(dice * 100)}
              %${shown.has(name) && html` (<a href="#${anchor('overlay', name)}">pictures</a>)`}
            </li>`,
        )}
    </ol>`;
}

/** With several classes their Dice takes the place of the finer metrics: the table must fit a page. */
const CASE_COLUMNS_OF_SEVERAL: readonly MetricName[] = ['Dice', 'BF', 'SurfaceDice', 'HD95'];

/** Longer tables start closed; a link to a case opens them. */
const OPEN_UP_TO = 30;

function caseTable(summary: Summary, shown: ReadonlySet<string>): Html {
  const order = new Map(rankCases(summary).map((entry, i) => [entry.case, i]));
  const entries = [...summary.metric_per_case].sort((a, b) => (order.get(b.case) ?? -1) - (order.get(a.case) ?? -1));
  const several = summary.classes.length > 1;
  const columns = several ? CASE_COLUMNS_OF_SEVERAL : COLUMNS;
  const remarks = (entry: Summary['metric_per_case'][number]): string =>
    summary.classes
      .flatMap(({ label, name }) => {
        const m = entry.metrics[label];
        const of = several ? ` ${name}` : '';
        if (m === undefined) return [`unlabelled${of}`];
        if (entry.prediction_file === null) return [`not predicted${of}`];
        if (m.n_ref > 0 && m.n_pred === 0) return [`missed${of}`];
        if (m.n_ref === 0 && m.n_pred > 0) return [`spurious${of}`];
        return [];
      })
      .join(', ');
  return html`<details ${new Html(entries.length <= OPEN_UP_TO ? 'open' : '')}>
    <summary>All ${counted(entries.length, 'case')}, worst first</summary>
    <div class="scroll">
      <table class="cases">
        <thead>
          <tr>
            <th scope="col">Case</th>
            ${columns.map((name) => titleOf(name, summary))}${several && summary.classes.map(({ name }) => html`<th scope="col">${name}<small>Dice, %</small></th>`)}
          </tr>
        </thead>
        <tbody>
          ${entries.map(
            (entry) =>
              html`<tr id="${anchor('case', entry.case)}">
                <th scope="row">
                  ${shown.has(entry.case) ? html`<a href="#${anchor('overlay', entry.case)}">${entry.case}</a>` : entry.case}<small
                    >${remarks(entry)}</small
                  >
                </th>
                ${columns.map((name) => {
                  const value = caseMean(entry.metrics, name);
                  const unit = METRIC_UNITS[name];
                  return html`<td>${fixed(value === null ? null : unit === '%' ? value * 100 : value, decimalsOf(unit))}</td>`;
                })}${
                  several &&
                  summary.classes.map(({ label }) => {
                    const dice = entry.metrics[label]?.Dice;
                    return html`<td>${fixed(dice === undefined || dice === null ? null : dice * 100)}</td>`;
                  })
                }
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}
