import { type ObjectStore, StoreFull } from "../index.ts";
import { checkedKey } from "../keys.ts";
import { readSecret } from "../../secret/index.ts";
import { collectSegments } from "./collect.ts";
import { openClient, nothing, pathOf } from "./client.ts";
import type { SwiftBinding } from "./credential.ts";
import { deleteObject } from "./delete.ts";
import { fetchObject, getObject } from "./get.ts";
import { headOf } from "./head.ts";
import { sessionOf } from "./keystone.ts";
import { listObjects } from "./list.ts";
import { nameOf } from "./names.ts";
import { putFile, putStream } from "./put.ts";
import { tempUrl } from "./temp-url.ts";

/**
 * Opens a Swift container as an object store. A large object is a static large object, whose segments are beside it below
 * `.cais-segments/`. Limits: keys of more than 1,024 bytes; `ifAbsent` is exclusive among the writers of this process, and
 * only very likely so against others, because Swift lets through what comes within the same moments.
 * Throws StoreUnreachable if the cloud does not answer, does not take the credential or has no such container.
 */
export async function open(binding: SwiftBinding, dataFolder: string): Promise<ObjectStore> {
  const client = await openClient(sessionOf(binding, dataFolder), binding.container);
  const { tempUrlKey } = binding;
  /** Whether the container keeps replaced objects now, may have some of before, or has them in another container. */
  let versions = { areOn: false, areKept: false, areElsewhere: false };
  let looking: Promise<void> | undefined;
  await look();
  const account = new URL(client.address).pathname.split("/").at(-2) ?? "";

  /** Asks for the container itself: "not found" of an object says nothing while that is away. */
  async function look(tries?: number): Promise<void> {
    const { headers } = await client.ask({
      method: "GET",
      query: { format: "json", limit: "1" },
      take: nothing,
      ...(tries !== undefined && { tries }),
    });
    const enabled = headers["x-versions-enabled"];
    const areElsewhere = (headers["x-versions-location"] ?? headers["x-history-location"]) !== undefined;
    // Once they were on, the header stays, and what was kept still needs its segments.
    versions = {
      areOn: String(enabled).toLowerCase() === "true" || areElsewhere,
      areKept: enabled !== undefined || areElsewhere,
      areElsewhere,
    };
    const quota = Number(headers["x-container-meta-quota-bytes"]);
    if (tries !== undefined && quota > 0 && Number(headers["x-container-bytes-used"]) >= quota)
      throw new StoreFull(
        `The Swift container "${binding.container}" has used its quota of ${quota} bytes; raise it or delete something.`,
      );
  }

  /** Swift says the same of an object that is not there and of one whose container is not. */
  async function orNotThere<T>(found: T | undefined): Promise<T | undefined> {
    if (found === undefined) await (looking ??= look().finally(() => (looking = undefined)));
    return found;
  }

  return {
    id: `swift:${account}/${binding.container}`,
    location: (key) => `${client.address}/${pathOf(nameOf(key))}`,
    put: async (key, body, options) =>
      putStream(client, nameOf(key), body, { ...options, isVersioned: versions.areKept }),
    putFile: async (key, file, options) =>
      putFile(client, nameOf(key), file, { ...options, isVersioned: versions.areKept }),
    get: async (key, range) => orNotThere(await getObject(client, nameOf(key), range)),
    async head(key) {
      const found = await orNotThere(await headOf(client, nameOf(key)));
      return found && { key, bytes: found.bytes, version: found.version, modifiedAt: found.modifiedAt };
    },
    async *list(prefix, onOther) {
      yield* listObjects(client, prefix === "" ? "" : checkedKey(prefix), onOther);
    },
    delete: async (key) => deleteObject(client, nameOf(key), versions.areKept),
    async fetch(key, file) {
      const name = nameOf(key);
      return (await fetchObject(client, name, file)) || (await orNotThere(undefined)) === true;
    },
    check: () => look(1),
    // Which segments a version needs that is in another container is not known.
    collect: async (options) =>
      versions.areElsewhere ? [] : collectSegments(client, { ...options, isVersioned: versions.areKept }),
    ...(tempUrlKey !== undefined && {
      // Where versions are kept, Swift 2.30 takes what came of a PUT that broke off for the whole, as when a tab is closed.
      ...(!versions.areOn && { tempUrlOrigin: new URL(client.address).origin }),
      async tempUrl(key, { method, seconds, name }) {
        const secret = await readSecret(tempUrlKey, dataFolder);
        const expires = new Date(Date.now() + seconds * 1000);
        const url = tempUrl(client.address, nameOf(key), {
          method,
          secret,
          expires,
          ...(name !== undefined && { name }),
        });
        return { url, expires };
      },
    }),
  };
}
