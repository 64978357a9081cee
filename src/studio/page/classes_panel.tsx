// SPDX-License-Identifier: MIT
// The classes: which one is drawn, their names and colours.
import type { JSX } from 'preact';
import type { ClassInfo } from '../protocol.ts';
import { MEANING_NAMES, MEANINGS, type MeaningName } from '../session/meanings.ts';
import { useSelect, useStudio } from './store.ts';

export function ClassesPanel(): JSX.Element {
  const studio = useStudio();
  const classes = useSelect((s) => s.session!.classes);
  const value = useSelect((s) => s.value);
  const dicom = useSelect((s) => s.scan!.info.format === 'dicom');
  const fixed = useSelect((s) => !!s.training && s.training.status !== 'none');
  const change = (at: number, with_: Partial<ClassInfo>): void =>
    void studio.open.classes((all) => all.map((c, i) => (i === at ? { ...c, ...with_ } : c)));
  return (
    <section class="group">
      <h2>Classes</h2>
      <ul class="classes" aria-label="Class to draw">
        {classes.map((c, i) =>
          i === 0 ? null : (
            <li key={i} class={value === i ? 'chosen' : ''}>
              <button
                aria-pressed={value === i}
                aria-label={`Draw class ${i}`}
                class="number"
                onClick={() => studio.store.set({ value: i })}
              >
                {i}
              </button>
              <input
                type="color"
                aria-label={`Colour of class ${i}`}
                value={c.colour}
                onChange={(e) => change(i, { colour: e.currentTarget.value })}
              />
              <input
                type="text"
                aria-label={`Name of class ${i}`}
                value={c.name}
                disabled={fixed}
                onChange={(e) => e.currentTarget.value.trim() && change(i, { name: e.currentTarget.value.trim() })}
              />
              {dicom && (
                <select
                  aria-label={`What class ${i} is in DICOM`}
                  title="What it is in a DICOM segmentation"
                  value={c.meaning ?? 'tissue'}
                  onChange={(e) => change(i, { meaning: e.currentTarget.value as MeaningName })}
                >
                  {MEANING_NAMES.map((name) => (
                    <option key={name} value={name}>
                      {MEANINGS[name].text}
                    </option>
                  ))}
                </select>
              )}
            </li>
          ),
        )}
      </ul>
      {!fixed && classes.length <= 9 && <button onClick={() => void studio.open.addClass()}>Add a class</button>}
      {fixed && <p class="soft">Training has begun: number and names of the classes stay.</p>}
    </section>
  );
}
