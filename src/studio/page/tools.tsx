// SPDX-License-Identifier: MIT
// The rail of tools, and what the chosen one is set to.
import type { JSX } from 'preact';
import { Icon } from './icons.tsx';
import { useSelect, useStudio } from './store.ts';
import type { ToolName } from './state.ts';

const TOOLS: readonly (readonly [ToolName, string, string])[] = [
  ['look', 'Look', 'L'],
  ['window', 'Window', ''],
  ['brush', 'Brush', 'B'],
  ['eraser', 'Eraser', 'E'],
  ['polygon', 'Polygon', 'P'],
  ['flood', 'HU fill', 'F'],
];

export function Tools(): JSX.Element {
  const studio = useStudio();
  const tool = useSelect((s) => s.tool);
  useSelect((s) => s.drawn);
  const history = studio.store.get().scan?.drawing.history;
  return (
    <div class="tools" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {TOOLS.map(([name, text, key]) => (
        <button
          key={name}
          class="tool"
          aria-pressed={tool === name}
          title={key ? `${text} (${key})` : text}
          onClick={() => studio.look.tool(name)}
        >
          <Icon name={name} />
          <span>{text}</span>
        </button>
      ))}
      <hr />
      <button class="tool" disabled={!history?.canUndo} title="Undo (Z)" onClick={studio.draw.undo}>
        <Icon name="undo" />
        <span>Undo</span>
      </button>
      <button class="tool" disabled={!history?.canRedo} title="Redo (Shift Z)" onClick={studio.draw.redo}>
        <Icon name="redo" />
        <span>Redo</span>
      </button>
    </div>
  );
}

/** Brush size, and the HU that drawing keeps to. */
export function ToolSettings(): JSX.Element {
  const { store } = useStudio();
  const tool = useSelect((s) => s.tool);
  const radius = useSelect((s) => s.radius);
  const gate = useSelect((s) => s.gate);
  const gated = useSelect((s) => s.gated);
  const bound = (which: 'low' | 'high') => (e: { readonly currentTarget: HTMLInputElement }) => {
    const value = e.currentTarget.valueAsNumber;
    if (Number.isFinite(value)) store.set({ gate: { ...store.get().gate, [which]: value } });
  };
  return (
    <div class="settings">
      {(tool === 'brush' || tool === 'eraser') && (
        <label class="slide">
          <span>Size</span>
          <input
            type="range"
            min="0.5"
            max="40"
            step="0.5"
            value={radius}
            aria-label="Brush radius in millimetres"
            onInput={(e) => store.set({ radius: e.currentTarget.valueAsNumber })}
          />
          <output>{(2 * radius).toFixed(radius < 5 ? 1 : 0)} mm</output>
        </label>
      )}
      <div class="gate">
        <label class="check">
          <input
            type="checkbox"
            checked={gated || tool === 'flood'}
            disabled={tool === 'flood'}
            onChange={(e) => store.set({ gated: e.currentTarget.checked })}
          />
          Only HU
        </label>
        <input type="number" aria-label="Lowest HU" value={gate.low} step="10" onChange={bound('low')} />
        <span>to</span>
        <input type="number" aria-label="Highest HU" value={gate.high} step="10" onChange={bound('high')} />
      </div>
    </div>
  );
}
