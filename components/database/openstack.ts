import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { Database } from "@pulumi/openstack/database/database.js";
import { User } from "@pulumi/openstack/database/user.js";
import type { DatabaseTarget } from "./index.ts";

export const openstack: DatabaseTarget = {
  unsupported: {},
  provision(name, { stack, server, password, deletable }, opts) {
    const owner = ownerOf(stack);
    const database = new Database(name, { instanceId: server.id, name: owner }, { ...opts, protect: !deletable });
    const user = new User(
      `${name}-user`,
      { instanceId: server.id, name: owner, password: pulumi.secret(password), databases: [database.name] },
      opts,
    );
    return { owner, nodes: { database, user } };
  },
};

/** Trove takes 16 characters for a user's name, of whatever database. */
const NAME_LENGTH = 16;

function ownerOf(stack: string): string {
  const plain = stack.replaceAll("-", "_");
  if (plain.length <= NAME_LENGTH) return plain;
  const rest = createHash("sha256").update(stack).digest("hex").slice(0, 5);
  return `${plain.slice(0, NAME_LENGTH - 6)}_${rest}`;
}
