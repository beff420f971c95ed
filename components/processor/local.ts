import type { ProcessorTarget } from "./index.ts";

// Nothing to provision: `npx cais start` runs the processor with this very config.
export const local: ProcessorTarget = {
  unsupported: {
    allowFrom: "the processor listens on loopback only; forward a port of this machine if others must reach it",
    cluster: "the processor is a process on this machine",
    image: "the processor runs from this folder",
    registry: "the processor runs from this folder",
  },
  provision: () => ({ nodes: {} }),
};
