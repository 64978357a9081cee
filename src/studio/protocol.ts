// SPDX-License-Identifier: MIT
// What the studio's page and its worker say to each other. Plain data alone: everything is structured-cloned by comlink.
//
// Voxels lie in RAS order, [D, H, W] with W fastest: D grows to Superior, H to Anterior, W to Right. A transverse slice is [H, W] at an
// index of D, a coronal one [D, W] at an index of H, a sagittal one [D, H] at an index of W; rows first, indices from 0.
// Lengths are millimetres, times seconds, sizes bytes, intensities what the file holds (HU for CT).
//
// Every method rejects with a plain `Failure`, never with an Error: `catch (failure) { failure.message, failure.hint }`.

import type { Plane, SlicePlane, Triple } from '../axes.ts';
import type { MeaningName } from './session/meanings.ts';

/** What went wrong, in the words of the command line. */
export interface Failure {
  /**
   * DATA (a file, an annotation or a session cannot be used), BUSY (another tab has the session), QUOTA (the browser grants no more space),
   * DEVICE_LOST, LIMIT (the GPU or memory is too small), USAGE (a call that does not fit the state, as annotating with no session open),
   * INTERNAL (a bug; `message` has the stack).
   */
  readonly code: string;
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
}

export interface ClassInfo {
  readonly name: string;
  /** '#rrggbb'. */
  readonly colour: string;
  /** What it is in a DICOM segmentation; tissue where it is left out. */
  readonly meaning?: MeaningName;
}

/** Colours of classes from 1 on: told from the greys of a scan, and from one another. */
export const CLASS_COLOURS = ['#ff9f1c', '#4cc9f0', '#7ee081', '#ff6fb5', '#ffe45c', '#a99bff', '#ff7a6b', '#2fe0c8', '#d8b48a'] as const;
/** The colour that a class begins with. */
export const colourOf = (value: number): string => (value === 0 ? '#000000' : CLASS_COLOURS[(value - 1) % CLASS_COLOURS.length]);

/** Indices of annotated slices, ascending. */
export type Annotated = Readonly<Record<SlicePlane, readonly number[]>>;

export interface CaseInfo {
  /** Known by it everywhere, in files too. */
  readonly name: string;
  readonly format: 'nifti' | 'nrrd' | 'metaimage' | 'dicom' | 'phantom';
  /** [D, H, W]. */
  readonly size: Readonly<Triple>;
  /** Between voxel centres along [D, H, W]. */
  readonly spacing: Readonly<Triple>;
  /** 4 x 4, row-major: voxel (w, h, d, 1) to RAS+ millimetres, as NIfTI's sform. */
  readonly affine: readonly number[];
  /** What the reader remarked about the file, one sentence each. */
  readonly remarks: readonly string[];
  readonly annotated: Annotated;
  /** Share of voxels that lie on annotated slices, 0 to 1. */
  readonly share: number;
  /** A dense mask of it is kept (`mask`), made after so many iterations of the run of that number. */
  readonly masked?: { readonly run: number; readonly iteration: number };
}

export interface Voxels {
  readonly size: Readonly<Triple>;
  /** Int16Array wherever whole values of 16 bits hold the scan. */
  readonly data: Int16Array | Float32Array;
  readonly range: readonly [number, number];
}

/** One slice drawn by a person. */
export interface SliceEdit {
  readonly plane: SlicePlane;
  readonly index: number;
  /** Classes 0 (background), 1, 2, ... of each voxel, rows first; left out, the voxels stay. */
  readonly labels?: Uint8Array;
  /** Left out, it stays as it is. An annotated slice of zeros says "nothing here". */
  readonly annotated?: boolean;
}

/** A dropped or chosen file. `path` is its way within what was dropped ('study/series/1.dcm'), its name where there is no folder. */
export interface PathFile {
  readonly path: string;
  readonly file: Blob;
}

export interface Opened {
  readonly session: Session;
  /** Names of the cases that came in. */
  readonly added: readonly string[];
  /** What could not be used, a failure each; other files are opened all the same. */
  readonly problems: readonly Failure[];
}

export interface SessionInfo {
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly changed: number;
  readonly bytes: number;
  readonly cases: number;
  /** Iterations of its newest run, if one was begun. */
  readonly run?: { readonly done: number; readonly total: number; readonly finished: boolean };
  /** Another tab has it open. */
  readonly busy: boolean;
}

/** An open session. */
export interface Session {
  readonly id: string;
  readonly name: string;
  /** Background first, which has no colour of its own: '#000000'. */
  readonly classes: readonly ClassInfo[];
  readonly cases: readonly CaseInfo[];
  readonly training: Training;
}

export interface DeviceReport {
  /** As `voxelgrad doctor` names it. */
  readonly adapter: string;
  /** Kernels run on this machine's processor: for trying out and small jobs. */
  readonly software: boolean;
  readonly f16: boolean;
  /** Largest buffer. */
  readonly maxBytes: number;
}

export interface StorageReport {
  readonly used: number;
  readonly quota: number;
  /** The browser promises not to clear it by itself (`navigator.storage.persist()`, which the page has to ask for). */
  readonly persisted: boolean;
}

export const STUDIO_PRESETS = ['demo', 'tiny', 'base'] as const;
export type StudioPreset = (typeof STUDIO_PRESETS)[number];

export interface Estimate {
  readonly preset: StudioPreset;
  readonly iterations: number;
  /** Of one iteration, timed once after one that compiled the kernels. */
  readonly secondsPerIteration: number;
  /** Of the whole training. */
  readonly seconds: number;
  /** Peak of GPU memory. */
  readonly bytes: number;
  /** Why it does not fit this device; the numbers are then 0. */
  readonly unfit?: Failure;
}

export interface TrainChoice {
  /** 'same': the plan of the last run, whose weights it begins from. */
  readonly preset: StudioPreset | 'same';
  /** Default: the preset's. */
  readonly iterations?: number;
  /** A whole plan, as `voxelgrad plan` writes it, in place of the preset. Its classes must be the session's. */
  readonly plan?: unknown;
}

/** One iteration with losses, or one validation, or a look at what was learnt. Enough to draw all curves anew (`Training.log`). */
export interface LogPoint {
  readonly iteration: number;
  /** By network. */
  readonly loss?: Readonly<Record<string, number>>;
  /**
   * Validation Dice by output, on annotated voxels of cases that are not trained on; there is none where a session has less than four
   * cases.
   */
  readonly dice?: Readonly<Record<string, number>>;
  /** The same on the annotated slices that are trained on, where there is no validation. */
  readonly fit?: Readonly<Record<string, number>>;
  /** Of training so far. */
  readonly seconds?: number;
}

export interface Training {
  /**
   * none: nothing was begun. running. paused: everything is saved, `goOn` continues to the same bits, also after a closed tab.
   * finished: all iterations are done, or it was stopped; `start` begins the next run from its weights.
   */
  readonly status: 'none' | 'running' | 'paused' | 'finished';
  /** Number of the run, from 1. */
  readonly run: number;
  readonly preset?: string;
  readonly done: number;
  readonly total: number;
  readonly log: readonly LogPoint[];
  /** Why it paused by itself. */
  readonly failure?: Failure;
}

export type StudioEvent =
  /** A long piece of work got on: 'open' counts files, 'read' cases, 'compile' kernels, 'estimate', 'predict' slices, 'export' steps. */
  | {
      readonly kind: 'progress';
      readonly work: 'open' | 'read' | 'compile' | 'estimate' | 'predict' | 'export';
      readonly done: number;
      readonly total: number;
    }
  /** An iteration is done, and took so many seconds; most come without losses, which are read back every tenth time. */
  | { readonly kind: 'iteration'; readonly done: number; readonly total: number; readonly seconds: number; readonly point?: LogPoint }
  /** Somebody looked at what the networks do: `point.dice` or `point.fit`. */
  | { readonly kind: 'validation'; readonly point: LogPoint }
  /** Status, run or failure changed: `training()` has all of it. */
  | { readonly kind: 'training'; readonly status: Training['status']; readonly failure?: Failure }
  /** The device was lost. `again`: a new one was opened, and training goes on from the last checkpoint; false: it paused. */
  | { readonly kind: 'lost'; readonly message: string; readonly again: boolean }
  /** Something to tell the person that stops nothing. */
  | { readonly kind: 'remark'; readonly message: string };

/** Masks of one slice by the newest weights. */
export interface SliceMask {
  readonly view: Plane;
  readonly index: number;
  /** Rows and columns. */
  readonly size: readonly [number, number];
  /** Classes, rows first. */
  readonly labels: Uint8Array;
  /** Mean Dice of the networks that vote with one another on this slice, 0 to 1; null where one votes. */
  readonly agreement: number | null;
  /** Why the networks may not know such a scan, as `voxelgrad predict` says it: its voxels are of another size, it is hardly CT. */
  readonly doubts: readonly string[];
  readonly run: number;
  readonly iteration: number;
}

export interface CaseMask {
  /** Classes of all voxels, [D, H, W]. */
  readonly labels: Uint8Array;
  /** As `SliceMask.agreement`, one for each transverse and each coronal slice; null where one network votes. */
  readonly agreement: Readonly<Record<SlicePlane, Float32Array>> | null;
  /** As `SliceMask.doubts`. */
  readonly doubts: readonly string[];
  readonly run: number;
  readonly iteration: number;
  /** Which networks have no vote in it, and why, in a sentence; absent where all have. */
  readonly votes?: string;
}

/** A file to take away: `URL.createObjectURL(blob)` and a link with `download`. */
export interface Export {
  readonly name: string;
  readonly blob: Blob;
  /** What is not in it, or stands in it to be known, one sentence each: shown beside the button. */
  readonly notes: readonly string[];
}

export type ExportChoice =
  /** The kept dense mask on the scan's own grid (`predict` makes it). */
  | { readonly what: 'mask'; readonly name: string; readonly format: 'nifti' | 'dicom-seg' }
  /** What was drawn, 255 where nothing was annotated ("ignore"), on the scan's own grid. */
  | { readonly what: 'annotation'; readonly name: string }
  /**
   * Weights of the newest checkpoint (safetensors, as `voxelgrad predict` takes them), the plan (JSON), the report of the command line
   * (HTML).
   */
  | { readonly what: 'model' | 'plan' | 'report' }
  /**
   * Everything as one zip: opens in another browser (`importSession`), and unpacked `voxelgrad train data --run run --resume` goes on with
   * it.
   */
  | { readonly what: 'session' };

/** Files that `voxelgrad studio FOLDER` offers. */
export interface ServedFile {
  readonly path: string;
  readonly bytes: number;
}

/** The worker. `const studio = Comlink.wrap<StudioWorker>(new Worker('worker.js', { type: 'module' }))`. One session is open at a time. */
export interface StudioWorker {
  /** Events from now on; `Comlink.proxy(listener)`. One listener: the last one given. */
  listen(listener: (event: StudioEvent) => void): Promise<void>;

  /** Opens the device where there is none. Rejects without WebGPU or subgroups. */
  device(): Promise<DeviceReport>;
  storage(): Promise<StorageReport>;
  /** Times one iteration on made-up data: seconds to a minute, longer on software. Null where training runs, or begins meanwhile. */
  estimate(preset: StudioPreset): Promise<Estimate | null>;

  sessions(): Promise<readonly SessionInfo[]>;
  /** A new, empty one, which is then open. */
  createSession(name: string): Promise<Session>;
  /** @throws Failure BUSY where another tab has it */
  openSession(id: string): Promise<Session>;
  /** Pauses training, lets go of it for other tabs. */
  closeSession(): Promise<void>;
  renameSession(name: string): Promise<void>;
  removeSession(id: string): Promise<void>;
  /** Of a session file; not opened. A data set and run of the command line, zipped as folders `data` and `run`, is one too. */
  importSession(file: Blob, name: string): Promise<SessionInfo>;
  /** The open session as it is now. */
  session(): Promise<Session>;

  /**
   * Into the open session, or a new one where none is open: volumes, folders of DICOM, or an nnU-Net data set (`dataset.json` among them).
   */
  addFiles(files: readonly PathFile[]): Promise<Opened>;
  addPhantom(): Promise<Opened>;
  /** Null where no folder was given, or the page comes from a static host. */
  served(): Promise<readonly ServedFile[] | null>;
  addServed(paths: readonly string[]): Promise<Opened>;
  removeCase(name: string): Promise<Session>;

  voxels(name: string): Promise<Voxels>;
  /** Drawn classes of all voxels [D, H, W], 0 where nothing was drawn. */
  annotation(name: string): Promise<Uint8Array>;
  /**
   * Saved when this resolves. Slices in order, later ones over earlier ones; voxels that slices of both planes share are the same voxels.
   */
  annotate(name: string, slices: readonly SliceEdit[]): Promise<CaseInfo>;
  /** Names and colours, background first. Classes may be added at the end; once a run was begun, their number and names stay. */
  setClasses(classes: readonly ClassInfo[]): Promise<Session>;

  training(): Promise<Training>;
  /**
   * A new run: with the first weights, or with those of the last run where that is finished. Resolves when it runs; events tell the rest.
   */
  start(choice: TrainChoice): Promise<Training>;
  /** Stops after the iteration under way, when everything is saved. */
  pause(): Promise<Training>;
  /** Annotation drawn meanwhile is trained on from here; the run records that its data changed. */
  goOn(): Promise<Training>;
  /** As `pause`, and the run is then finished. */
  stop(): Promise<Training>;

  /** By the newest weights, between two iterations while training runs. A request that a newer one overtook is answered null. */
  sliceMask(name: string, view: Plane, index: number): Promise<SliceMask | null>;
  /** The dense mask of a whole case, made now and kept. Not while training runs. */
  predict(name: string): Promise<CaseMask>;
  /** The kept one, or null. */
  mask(name: string): Promise<CaseMask | null>;
  /**
   * The slice most worth annotating next: of least agreement in the kept mask where the newest run made it, else farthest from annotated
   * ones. Null: all are annotated.
   */
  propose(name: string, plane: SlicePlane): Promise<{ readonly index: number; readonly agreement: number | null } | null>;

  exportFile(choice: ExportChoice): Promise<Export>;
}
