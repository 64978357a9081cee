// SPDX-License-Identifier: MIT
// Dispatches side by side. WebGPU puts a barrier before every dispatch (its outputs were written before, by the last run if by nobody
// else), so on a GPU a small one costs its start and nothing else: the calls of one kernel that do not wait for each other become one.
import type { Caps } from '../gpu/caps.ts';
import { variantKey } from '../gpu/pipelines.ts';
import { callOf, nameIn, several } from '../gpu/several.ts';
import { boundBytes } from './eager.ts';
import { grid1d, type Dispatch, type Ref } from './lower.ts';
import type { Lifetime } from './plan.ts';
import type { Place, Schedule, Step } from './schedule.ts';
import { Storage } from './tensor.ts';

/** More in one dispatch saves little (`tiny` 1,969 dispatches with four, 1,959 with eight), and its text is compiled once a call. */
const AT_ONCE = 4;
/** Workgroups of one row, beyond which a dispatch fills a card by itself. */
const MOST_GROUPS = 1 << 16;

interface Use {
  readonly place: Place;
  readonly writes: boolean;
}
/** A dispatch, what it uses, and what waits for what. */
interface Unit {
  readonly step: Step;
  readonly dispatch: Dispatch;
  readonly uses: readonly Use[];
  readonly after: Set<Unit>;
  readonly before: Unit[];
  /** Dispatches of the longest chain that begins with this one. */
  chain: number;
  /** Of those before it, how many are still to come. */
  left: number;
}

const groupsOf = ({ grid }: Dispatch): number => grid[0] * grid[1] * grid[2];
const storagesOf = ({ def }: Dispatch): number => def.bindings.filter(({ kind }) => kind !== 'uniform').length;

/** The same work in fewer dispatches, in an order that lets them meet; results are the same to the bit. */
export function beside(plan: Schedule, caps: Caps): Schedule {
  const units = unitsOf(plan.steps);
  const ready = new Map<string, Unit[]>();
  const add = (unit: Unit): void => {
    const key = variantKey(unit.dispatch);
    const list = ready.get(key);
    if (list) list.push(unit);
    else ready.set(key, [unit]);
  };
  for (const unit of units) if (unit.left === 0) add(unit);
  const steps: Step[] = [];
  const spans = plan.lifetimes.map(() => ({ first: Infinity, last: -1 }));
  for (let done = 0; done < units.length;) {
    const { key, group } = next(ready, caps);
    ready.set(
      key,
      ready.get(key)!.filter((unit) => !group.includes(unit)),
    );
    for (const { place } of group.flatMap(({ uses }) => uses)) {
      if (place instanceof Storage) continue;
      const span = spans[place.life];
      span.first = Math.min(span.first, steps.length);
      span.last = steps.length;
    }
    steps.push(group.length > 1 ? joined(group, plan.lifetimes) : alone(group[0]));
    done += group.length;
    for (const unit of group) for (const other of unit.before) if (--other.left === 0) add(other);
  }
  const lifetimes = plan.lifetimes.map(({ bytes }, i) => (spans[i].last < 0 ? { bytes, first: 0, last: 0 } : { bytes, ...spans[i] }));
  return { ...plan, steps, lifetimes };
}

/** The calls that fill a dispatch, else those of the longest chain: what waits may find others yet. */
function next(ready: ReadonlyMap<string, readonly Unit[]>, caps: Caps): { key: string; group: Unit[] } {
  let best = { key: '', group: [] as Unit[], full: false };
  for (const [key, list] of ready) {
    if (list.length === 0) continue;
    const { dispatch } = list[0];
    const room = Math.floor(caps.limits.maxStorageBuffersPerShaderStage / storagesOf(dispatch));
    const most = dispatch.def.joins ? Math.max(1, Math.min(AT_ONCE, room)) : 1;
    const group: Unit[] = [];
    let groups = 0;
    for (const unit of [...list].sort((a, b) => b.chain - a.chain)) {
      if (group.length === most || (group.length > 0 && groups + groupsOf(unit.dispatch) > MOST_GROUPS)) break;
      if (group.some((other) => conflict(other, unit))) continue;
      group.push(unit);
      groups += groupsOf(unit.dispatch);
    }
    const full = group.length === most;
    if (best.group.length === 0 || Number(full) > Number(best.full) || (full === best.full && group[0].chain > best.group[0].chain))
      best = { key, group, full };
  }
  return best;
}

/** Whether one dispatch may not bind what both use: a buffer for reading and writing, or twice for writing the same. */
const conflict = (a: Unit, b: Unit): boolean =>
  a.uses.some((x) =>
    b.uses.some(
      (y) =>
        x.place instanceof Storage &&
        y.place instanceof Storage &&
        x.place.buffer === y.place.buffer &&
        (x.writes || y.writes) &&
        (x.writes !== y.writes || x.place.overlaps(y.place)),
    ),
  );

/** Every dispatch with those that must come before and after it: whoever touches memory that either writes. */
function unitsOf(steps: readonly Step[]): Unit[] {
  const touched = new Map<number | GPUBuffer, { readonly unit: Unit; readonly use: Use }[]>();
  const units: Unit[] = [];
  for (const step of steps)
    for (const dispatch of step.dispatches) {
      const uses = dispatch.def.bindings
        .filter(({ kind }) => kind !== 'uniform')
        .map(({ name, kind }) => ({ place: step.place(dispatch, name), writes: kind === 'read_write' }));
      const unit: Unit = { step, dispatch, uses, after: new Set(), before: [], chain: 1, left: 0 };
      for (const use of uses) {
        const { place } = use;
        const key = place instanceof Storage ? place.buffer : place.life;
        const list = touched.get(key) ?? [];
        touched.set(key, list);
        for (const { unit: other, use: theirs } of list)
          if (other !== unit && (use.writes || theirs.writes) && (!(place instanceof Storage) || place.overlaps(theirs.place as Storage)))
            unit.after.add(other);
        list.push({ unit, use });
      }
      unit.left = unit.after.size;
      for (const other of unit.after) other.before.push(unit);
      units.push(unit);
    }
  for (const unit of [...units].reverse()) unit.chain = 1 + Math.max(0, ...unit.before.map(({ chain }) => chain));
  return units;
}

const flopsOf = ({ step }: Unit): number => step.flops / step.dispatches.length;
const alone = (unit: Unit): Step => ({ ...unit.step, dispatches: [unit.dispatch], calls: [unit], flops: flopsOf(unit) });

function joined(group: readonly Unit[], lifetimes: readonly Lifetime[]): Step {
  const bindings: Record<string, Ref> = {};
  const params: Record<string, number> = {};
  const memoryOf = (place: Place): { readonly bytes: number } => (place instanceof Storage ? place : lifetimes[place.life]);
  let end = 0;
  for (const [call, { dispatch }] of group.entries()) {
    end += groupsOf(dispatch);
    for (const [name, ref] of Object.entries(dispatch.bindings)) bindings[nameIn(call, name)] = ref;
    const [groups_x, groups_y, groups_z] = dispatch.grid;
    for (const [field, value] of Object.entries({ ...dispatch.params, groups_x, groups_y, groups_z, end }))
      params[nameIn(call, field)] = value;
  }
  const dispatch: Dispatch = { ...several(group[0].dispatch, group.length), bindings, params, grid: grid1d(end) };
  return {
    label: group.map(({ step }) => step.label).join(' | '),
    dispatches: [dispatch],
    calls: group,
    flops: group.reduce((sum, unit) => sum + flopsOf(unit), 0),
    bytes: group.reduce((sum, { step, dispatch: d }) => sum + (step.bytes ?? boundBytes(d, (name) => memoryOf(step.place(d, name)))), 0),
    place(_, binding) {
      const { call, name } = callOf(binding);
      return group[call].step.place(group[call].dispatch, name);
    },
  };
}
