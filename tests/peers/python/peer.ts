import type { Peer } from "../peer.ts";
import { installPython } from "../python-packages.ts";

/** Pinned: a referee that changes by itself is none. */
const packages = ["pyarrow==26.0.1"];

/** Python reads what we wrote with an implementation that is not ours. */
export const peer: Peer = {
  installs: `installs ${packages.join(", ")} into .cais/peers/python with uv or pip (about 150 MB)`,
  async prepare() {
    return { CAIS_PYTHON: await installPython("python", packages) };
  },
};
