import { PolicyPack } from "@pulumi/policy";
import { rules } from "./rules.ts";

export const pack = new PolicyPack("cais", { policies: [...rules] });
