// SPDX-License-Identifier: MIT
// Masks that nobody drew are marked in dataset.json (`label_source`); what that means is said wherever numbers made from them are.

const MEANING: Readonly<Record<string, string>> = {
  sphere: 'The masks are balls of the annotated diameter, not drawn outlines: overlap with them says little about true shapes.',
  phantom: 'The scans are made-up phantoms: the numbers show that the chain works, not how well it segments patients.',
};

/** What a reader must know of a marked data set. */
export const labelSourceNote = (mark: string): string => MEANING[mark] ?? `The data set marks its masks as "${mark}".`;

/** Notes on an evaluation: on its reference masks, and on those that the run was trained on where they differ. */
export function labelSourceNotes({
  label_source: reference,
  trained_label_source: trained,
}: {
  label_source?: string;
  trained_label_source?: string;
}): string[] {
  return [
    ...(reference === undefined ? [] : [labelSourceNote(reference)]),
    ...(trained === undefined || trained === reference ? [] : [`Trained on masks marked "${trained}". ${labelSourceNote(trained)}`]),
  ];
}
