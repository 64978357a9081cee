// SPDX-License-Identifier: MIT
// Part 8: where the time went, how much GPU memory it took, on what machine.

import { bytes, duration } from './format.ts';
import { html, Html } from './html.ts';
import type { Machine, Stage } from './input.ts';

export function resourcesSection(stages: readonly Stage[] | undefined, machine: Machine | undefined): Html | null {
  const facts = (
    [
      ['Adapter', machine?.adapter],
      ['Driver', machine?.driver],
      ['Backend', machine?.backend],
      ['Host', machine?.host],
    ] as const
  ).filter(([, value]) => value);
  const limits = Object.entries(machine?.limits ?? {});
  if (!stages?.length && facts.length === 0 && limits.length === 0) return null;
  return html` ${stages?.length ? stageTable(stages) : null}
  ${
    facts.length > 0 &&
    html`<dl>
      ${facts.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>`
  }
  ${
    limits.length > 0 &&
    html`<details>
      <summary>WebGPU limits requested</summary>
      <dl>
        ${limits.map(
          ([name, value]) =>
            html`<dt><code>${name}</code></dt>
              <dd>${name.endsWith('Size') ? `${value} (${bytes(value)})` : value}</dd>`,
        )}
      </dl>
    </details>`
  }`;
}

function stageTable(stages: readonly Stage[]): Html {
  const total = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const share = (seconds: number): number => (total > 0 ? (100 * seconds) / total : 0);
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">Stage</th>
          <th scope="col">Time</th>
          <th scope="col" class="text">Share</th>
          <th scope="col">Peak GPU memory</th>
        </tr>
      </thead>
      <tbody>
        ${stages.map(
          ({ name, seconds, peakBytes }) =>
            html`<tr>
              <th scope="row">${name}</th>
              <td>${duration(seconds)}</td>
              <td class="text">
                <svg width="160" height="10" role="img" aria-label="${`${Math.round(share(seconds))} per cent`}">
                  <rect width="160" height="10" fill="#e8edf1" />
                  <rect width="${(1.6 * share(seconds)).toFixed(1)}" height="10" fill="#0072b2" />
                </svg>
              </td>
              <td>${bytes(peakBytes)}</td>
            </tr>`,
        )}
        <tr class="total">
          <th scope="row">Together</th>
          <td>${duration(total)}</td>
          <td></td>
          <td></td>
        </tr>
      </tbody>
    </table>
  </div>`;
}
