// SPDX-License-Identifier: MIT
// What a verb is: it adds its arguments and options to a command, and its work returns what to print.
import type { Command } from 'commander';

/** 0 done, 1 failure, 2 the command line was not understood, 3 the data (file, plan, checkpoint) cannot be used. */
export type ExitCode = 0 | 1 | 2 | 3;

export interface Outcome {
  /** For a person: printed to stdout without --json. */
  readonly text: string;
  /** For a program: printed to stdout as one JSON document with --json. Undefined where another process of the run says it all. */
  readonly json: unknown;
  /** For work that was done and whose answer is bad news (`check` found errors). Default 0. */
  readonly exitCode?: ExitCode;
}

export interface Context {
  readonly json: boolean;
  /** The command line, for records that say how to repeat it. */
  readonly argv: readonly string[];
  /** A line about work under way: stdout, or stderr where stdout belongs to --json. */
  note(line: string): void;
}

/** `run` gets the positional arguments in order, then the options; commander has checked them against `configure`. */
export interface Verb {
  readonly configure: (command: Command) => void;
  readonly run: (args: readonly any[], options: any, context: Context) => Promise<Outcome>;
}
