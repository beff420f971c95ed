import { makePack } from "../../../../../policies/make-pack.ts";
import { rules } from "../../../../../policies/rules.ts";

export const pack = makePack("cais", rules, import.meta.dirname);
