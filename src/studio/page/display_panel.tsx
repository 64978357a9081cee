// SPDX-License-Identifier: MIT
// How scan and masks are shown.
import type { JSX } from 'preact';
import { PRESETS, type PresetName } from '../view/windows.ts';
import { useSelect, useStudio } from './store.ts';
import type { Shown } from './state.ts';

const CHECKS: readonly (readonly [keyof Shown & ('drawn' | 'mask' | 'suggestion'), string])[] = [
  ['drawn', 'Drawing'],
  ['mask', 'Networks’ mask (dashed)'],
  ['suggestion', 'Suggestion (dotted)'],
];

export function DisplayPanel(): JSX.Element {
  const studio = useStudio();
  const window = useSelect((s) => s.window);
  const shown = useSelect((s) => s.shown);
  const number = (text: string, which: 'width' | 'level', least: number): JSX.Element => (
    <label>
      {text}
      <input
        type="number"
        min={least}
        step="10"
        value={window[which]}
        aria-label={`${text} of the window, HU`}
        onInput={(e) => {
          const value = e.currentTarget.valueAsNumber;
          if (value >= least) studio.look.window({ ...studio.store.get().window, [which]: value });
        }}
      />
    </label>
  );
  return (
    <section class="group">
      <h2>Display</h2>
      <div class="presets">
        {(Object.keys(PRESETS) as PresetName[]).map((name) => (
          <button
            key={name}
            aria-pressed={PRESETS[name].width === window.width && PRESETS[name].level === window.level}
            onClick={() => studio.look.window(PRESETS[name])}
          >
            {name}
          </button>
        ))}
      </div>
      <div class="window">
        {number('Width', 'width', 1)}
        {number('Level', 'level', -32768)}
      </div>
      {CHECKS.map(([name, text]) => (
        <label key={name} class="check">
          <input type="checkbox" checked={shown[name]} onChange={(e) => studio.look.show({ [name]: e.currentTarget.checked })} />
          {text}
        </label>
      ))}
      <label class="slide">
        <span>Opacity</span>
        <input
          type="range"
          min="0"
          max="1"
          step="0.05"
          value={shown.opacity}
          aria-label="Opacity of masks"
          onInput={(e) => studio.look.show({ opacity: e.currentTarget.valueAsNumber, style: 'fill' })}
        />
        <output>{Math.round(100 * shown.opacity)} %</output>
      </label>
      <div class="two">
        {(['fill', 'outline'] as const).map((style) => (
          <button key={style} aria-pressed={shown.style === style} onClick={() => studio.look.show({ style })}>
            {style === 'fill' ? 'Fill' : 'Outline'}
          </button>
        ))}
      </div>
    </section>
  );
}
