// SPDX-License-Identifier: MIT
// The methods that a plan can name. One line each; what it is, its own file or folder says.
import type { Method } from './method.ts';
import type { MethodPlan, Plan } from './plan.ts';
import { sanet } from './sanet/method.ts';
import { vnet } from './vnet.ts';

export const METHODS: Readonly<Record<string, Method>> = { sanet, vnet };

export const methodOf = <M extends MethodPlan>({ method }: Pick<Plan<M>, 'method'>): Method<M> => METHODS[method.name]!;
