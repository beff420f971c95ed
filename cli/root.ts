import { dirname, join } from "node:path";

/** The project's folder: where Pulumi.yaml and stacks/ are. */
export const projectRoot = dirname(import.meta.dirname);

/** Where pipeline stacks are. */
export const stacksFolder = join(projectRoot, "stacks");

/** Where the embedded processor keeps everything unless told otherwise. */
export const defaultDataFolder = join(projectRoot, ".cais");
