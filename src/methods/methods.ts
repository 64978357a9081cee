// SPDX-License-Identifier: MIT
// The methods that a plan can name. One line each; what it is, its own file or folder says.
import { UsageError } from '../errors.ts';
import type { Method } from './method.ts';
import type { MethodPlan, Plan } from './plan.ts';
import { convunet } from './convunet.ts';
import { crossTeaching } from './cross_teaching.ts';
import { ctn } from './ctn.ts';
import { eoformer } from './eoformer.ts';
import { henet } from './henet.ts';
import { sanet } from './sanet/method.ts';
import { swinSmt } from './swin_smt.ts';
import { unet2d } from './unet2d.ts';
import { unet3d } from './unet3d.ts';
import { vnet } from './vnet.ts';

const methods: Record<string, Method> = {
  sanet,
  vnet,
  unet2d,
  unet3d,
  cross_teaching: crossTeaching,
  eoformer,
  convunet,
  henet,
  ctn,
  swin_smt: swinSmt,
};
/** What a plan can train, by name; `addMethod` adds to it. */
export const METHODS: Readonly<Record<string, Method>> = methods;

/** Adds a method of one's own, which plans may then name. @throws UsageError where a method of that name is there already */
export function addMethod(method: Method): void {
  if (Object.hasOwn(methods, method.name))
    throw new UsageError(`addMethod: got "${method.name}", which is a method already.`, 'Give yours another name.');
  methods[method.name] = method;
}

/** The method that a plan names: one of METHODS. Plans that `parsePlan` read name one that is there. */
export const methodOf = <M extends MethodPlan>({ method }: Pick<Plan<M>, 'method'>): Method<M> => METHODS[method.name];
