// SPDX-License-Identifier: MIT
// Everything the page knows. Volumes are held, not copied: `drawn` and `masked` count their changes.
import type { Plane, SlicePlane, Triple } from '../../axes.ts';
import type { Drawing } from '../annotate/drawing.ts';
import type { Gate } from '../annotate/gate.ts';
import type { Point } from '../annotate/brush.ts';
import type {
  CaseInfo, CaseMask, DeviceReport, Estimate, Export, ServedFile, Session, SessionInfo, SliceMask, StudioPreset, Training, Voxels,
} from '../protocol.ts'; // prettier-ignore
import { FITTED, type Zoom } from '../view/frame.ts';
import { PRESETS, type Window } from '../view/windows.ts';

export type Stage = 'open' | 'annotate' | 'train' | 'take';
export type ToolName = 'look' | 'window' | 'brush' | 'eraser' | 'polygon' | 'flood';

export type Estimates = Readonly<Partial<Record<StudioPreset, Estimate>>>;

/** The scan that is looked at. */
export interface Scan {
  readonly info: CaseInfo;
  readonly voxels: Voxels;
  readonly drawing: Drawing;
}

export interface Notice {
  readonly id: number;
  readonly kind: 'error' | 'info';
  readonly message: string;
  readonly hint?: string;
}

export interface Shown {
  readonly drawn: boolean;
  readonly mask: boolean;
  readonly suggestion: boolean;
  readonly style: 'fill' | 'outline';
  /** 0 to 1. */
  readonly opacity: number;
}

export interface State {
  readonly stage: Stage;
  readonly busy: { readonly text: string; readonly done?: number; readonly total?: number } | null;
  readonly notices: readonly Notice[];
  readonly help: boolean;
  readonly online: boolean;
  readonly device: DeviceReport | null;
  readonly session: Session | null;
  readonly sessions: readonly SessionInfo[];
  readonly served: readonly ServedFile[] | null;
  readonly scan: Scan | null;
  /** Slices that are not saved yet. */
  readonly unsaved: number;
  /** The last try to save failed: it was told why, and the next stroke tries again. */
  readonly stuck: boolean;

  readonly cross: Triple;
  readonly main: Plane | 'space';
  readonly layout: 'one' | 'four';
  readonly window: Window;
  readonly zoom: Readonly<Record<Plane, Zoom>>;
  readonly shown: Shown;
  /** HU under the pointer. */
  readonly under: { readonly hu: number; readonly voxel: Triple } | null;

  readonly tool: ToolName;
  /** Millimetres. */
  readonly radius: number;
  /** Class that is drawn, 1 to 9. */
  readonly value: number;
  readonly gate: Gate;
  readonly gated: boolean;
  readonly polygon: { readonly plane: SlicePlane; readonly index: number; readonly points: readonly Point[] } | null;
  readonly drawn: number;

  readonly estimates: Estimates;
  /** The preset of which an iteration is being timed, and how far that is. */
  readonly timing: { readonly preset: StudioPreset; readonly done?: number; readonly total?: number } | null;
  /** What the person chose to train by; null: what fits. */
  readonly picked: StudioPreset | 'same' | null;
  readonly training: Training | null;
  /** Seconds an iteration takes, of the last ones. */
  readonly pace: number | null;
  /** Masks of the slices looked at, by the newest weights. */
  readonly sliceMasks: Readonly<Partial<Record<Plane, SliceMask>>>;
  /** The dense mask that is kept of the scan. */
  readonly caseMask: Pick<CaseMask, 'labels' | 'run' | 'iteration' | 'votes' | 'doubts'> | null;
  readonly proposal: { readonly plane: SlicePlane; readonly index: number; readonly agreement: number | null } | null;
  readonly taken: readonly Export[];
}

export const FIRST_STATE: State = {
  stage: 'open',
  busy: null,
  notices: [],
  help: false,
  online: true,
  device: null,
  session: null,
  sessions: [],
  served: null,
  scan: null,
  unsaved: 0,
  stuck: false,
  cross: [0, 0, 0],
  main: 'transverse',
  layout: 'one',
  window: PRESETS.lung,
  zoom: { transverse: FITTED, coronal: FITTED, sagittal: FITTED },
  shown: { drawn: true, mask: true, suggestion: true, style: 'fill', opacity: 0.4 },
  under: null,
  tool: 'look',
  radius: 4,
  value: 1,
  gate: { low: -400, high: 400 },
  gated: false,
  polygon: null,
  drawn: 0,
  estimates: {},
  timing: null,
  picked: null,
  training: null,
  pace: null,
  sliceMasks: {},
  caseMask: null,
  proposal: null,
  taken: [],
};

export const isDrawn = (plane: Plane | 'space'): plane is SlicePlane => plane === 'transverse' || plane === 'coronal';
/** The plane that is drawn on: the large one, or transverse where that is none to draw on. */
export const drawnPlane = (s: State): SlicePlane => (isDrawn(s.main) ? s.main : 'transverse');
export const indexOf = (s: State, plane: Plane): number => s.cross[plane === 'transverse' ? 0 : plane === 'coronal' ? 1 : 2];
/** Number of classes without background. */
export const classCount = (s: State): number => (s.session?.classes.length ?? 1) - 1;
/** Some slice of some scan is annotated; only of the open one does the session not know yet what was drawn last. */
export const isTaught = ({ scan, session }: State): boolean =>
  (scan?.drawing.share() ?? 0) > 0 || !!session?.cases.some(({ name, share }) => name !== scan?.info.name && share > 0);
