// SPDX-License-Identifier: MIT
// The command line: finds the verb, loads only its code, prints its outcome, and turns every error into words and an exit code.
import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { printable } from '../errors.ts';
import { failureOf } from './failure.ts';
import { hearRemarks } from '../io/node/remarks.ts';
import type { Remark } from '../io/source.ts';
import { processOutput, type Output } from './output.ts';
import type { ExitCode, Verb } from './verb.ts';

const VERBS: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Verb> }>> = {
  doctor: {
    summary: 'the GPU adapter: what is there, what is missing, does it compute',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  tune: {
    summary: "time the kernels' tiles on this adapter, and remember the fastest",
    load: async () => (await import('./tune.ts')).tune,
  },
  check: { summary: 'geometry, labels, annotation and names of a data set', load: async () => (await import('./check.ts')).check },
  import: { summary: 'CT volumes, DICOM, LUNA16 or LIDC into a data set', load: async () => (await import('./import.ts')).importVerb },
  sparsify: { summary: 'simulate sparse annotation', load: async () => (await import('./sparsify.ts')).sparsify },
  plan: { summary: 'write the editable plan of a run', load: async () => (await import('./plan.ts')).plan },
  train: { summary: 'train on sparsely annotated cases', load: async () => (await import('./train.ts')).train },
  label: { summary: 'dense masks for the training cases', load: async () => (await import('./label.ts')).label },
  predict: { summary: 'masks for new scans', load: async () => (await import('./predict.ts')).predict },
  eval: { summary: 'predicted masks against reference masks', load: async () => (await import('./eval.ts')).evalVerb },
  compare: { summary: 'methods side by side: tables, tests, figures', load: async () => (await import('./compare.ts')).compare },
  report: { summary: 'one HTML file about a run', load: async () => (await import('./report.ts')).report },
  session: {
    summary: 'a data set and a run as one file, which the studio goes on with',
    load: async () => (await import('./session.ts')).session,
  },
  studio: {
    summary: 'a page on this machine that annotates, trains and gives masks',
    load: async () => (await import('./studio.ts')).studio,
  },
};

/** Runs one command line and returns its exit code. Throws nothing and ends no process. */
export async function main(argv: readonly string[], output: Output = processOutput): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const json = argv.includes('--json');
  const line = (write: (text: string) => void) => (text: string) => write(printable(text.endsWith('\n') ? text : `${text}\n`));
  const [stdout, stderr] = [line(output.stdout), line(output.stderr)];

  const program = new Command('voxelgrad')
    .description('3D CT segmentation from sparse annotation, on WebGPU. Not for clinical use.')
    .version(manifest.version)
    .addHelpText('after', "\nExit codes: 0 done, 1 failure, 2 usage, 3 data. `voxelgrad VERB --help` shows a verb's options.")
    .configureOutput({ writeOut: output.stdout, writeErr: () => {} }) // usage errors are printed below, like all others
    .exitOverride();

  const words = argv.filter((word) => !word.startsWith('-'));
  const chosen = words[0] === 'help' ? words[1] : words[0];
  try {
    for (const [name, { summary, load }] of Object.entries(VERBS)) {
      const command = program.command(name).description(summary).option('--json', 'print one JSON document on stdout, progress on stderr');
      if (name !== chosen) continue;
      const verb = await load();
      verb.configure(command);
      command.action(async () => {
        const said = new Set<string>();
        const warn = ({ file, message, remedy }: Remark): void => {
          const text = `warning: ${file}: ${message}\n  -> ${remedy}`;
          if (!said.has(text)) stderr(text); // a file may be read again and again
          said.add(text);
        };
        const outcome = await hearRemarks(warn, () =>
          verb.run(command.processedArgs, command.opts(), { json, argv, note: json ? stderr : stdout }),
        );
        if (outcome.json !== undefined) stdout(json ? JSON.stringify(outcome.json, null, 2) : outcome.text);
        exitCode = outcome.exitCode ?? 0;
      });
    }
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // --help, --version
    const {
      stack,
      exitCode: code,
      ...failure
    } = error instanceof CommanderError
      ? {
          code: 'USAGE',
          message: error.message.replace(/^error: /, ''),
          hint: `voxelgrad ${chosen && chosen in VERBS ? `${chosen} ` : ''}--help shows what it takes.`,
          exitCode: 2 as const,
          stack: undefined,
        }
      : failureOf(error);
    stderr(stack ?? `error: ${failure.message}`);
    if (failure.hint) stderr(`hint: ${failure.hint}`);
    if (json) stdout(JSON.stringify({ error: failure }, null, 2));
    exitCode = code;
  }
  return exitCode;
}
