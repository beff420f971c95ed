import { makePack } from "./make-pack.ts";
import { rules } from "./rules.ts";

export const pack = makePack("cais", rules, import.meta.dirname);
