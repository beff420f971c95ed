import type { Peer } from "../peer.ts";
import { installPython } from "../python-packages.ts";

/** Pinned: a referee that changes by itself is none. */
export const packages = ["deltalake==1.6.6", "pyarrow==26.0.1"];

/** delta-rs reads the tables that we wrote, and writes on in them. */
export const peer: Peer = {
  installs: `installs ${packages.join(", ")} into .cais/peers/delta with uv or pip (about 340 MB)`,
  async prepare() {
    return { CAIS_PYTHON: await installPython("delta", packages) };
  },
};
