// SPDX-License-Identifier: MIT
// Colours that stay apart for colour-blind readers (Okabe and Ito 2008), and the meaning each has throughout the report.

/** The reference drawn by people. */
export const REFERENCE = '#56b4e9';
/** The prediction. */
export const PREDICTION = '#e69f00';
/** Both have something there, but not the same class. */
export const WRONG_CLASS = '#cc79a7';

/** Emphasis in charts: the run the report is about. */
export const ACCENT = '#0072b2';
export const MUTED = '#8a949e';

/** Series of a chart, in order of appearance; beyond eight they repeat. Dark enough to read on white. */
export const SERIES: readonly string[] = ['#0072b2', '#d55e00', '#009e73', '#aa4499', '#e69f00', '#56b4e9', '#333333', '#8c6d31'];
