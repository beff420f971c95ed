import { ObjectKey } from "@cais/spec/names.ts";
import { type Client, nothing } from "./client.ts";
import { segmentNames } from "./delete.ts";
import { headOf } from "./head.ts";
import { behindSegments, entries, type Entry } from "./list.ts";
import { RESERVED } from "./names.ts";

/** Segments of an upload that was cut off, or of an object that is no more. */
export interface Leftover {
  key: string;
  bytes: number;
}

/**
 * Deletes, or with `dryRun` only finds, the segments that no manifest of the container names and that are older than `before`:
 * a process was killed while it sent them, or what kept them was deleted. Where the container keeps what is replaced, a manifest
 * of any version counts. What others made of them in another container cannot be known.
 */
export async function collectSegments(
  client: Client,
  { before, dryRun, isVersioned }: { before: Date; dryRun: boolean; isVersioned: boolean },
): Promise<Leftover[]> {
  const old = await Array.fromAsync(groups(client, isVersioned));
  const left = old.filter(({ newest }) => newest < before);
  if (left.length === 0) return [];
  const used = await usedFolders(client, isVersioned);
  const found: Leftover[] = [];
  for (const { folder, key, segments, bytes } of left) {
    // Asked of the object, too: meanwhile it may have been written, and Ceph's listings tell of no manifest.
    if (used.has(folder) || (await putOf(client, key)) === folder.slice(-PUT)) continue;
    if (!dryRun) await deleteAll(client, segments);
    found.push({ key: folder, bytes });
  }
  return found;
}

const putOf = async (client: Client, key: string) => (await headOf(client, key))?.put;

/** How long the id of a put is, the last part of a folder. */
const PUT = 36;

interface Group {
  /** What they lie in, without a slash at its end. */
  folder: string;
  /** Of the object that they were sent for. */
  key: string;
  segments: Entry[];
  bytes: number;
  newest: Date;
}

/** The segments of each put, which a listing gives side by side. */
async function* groups(client: Client, versions: boolean): AsyncGenerator<Group> {
  let group: Group | undefined;
  for await (const page of entries(client, RESERVED, { versions }))
    for (const entry of page) {
      const [, folder, key] = /^(\.cais-segments\/(.+)\/[0-9a-f-]{36})\/\d{5}$/.exec(entry.name) ?? [];
      // With a part such as `..` its address would be another object's.
      if (folder === undefined || key === undefined || !ObjectKey.safeParse(key).success) continue;
      const writtenAt = new Date(`${entry.last_modified.replace(/Z$/, "")}Z`);
      if (group?.folder !== folder) {
        if (group !== undefined) yield group;
        group = { folder, key, segments: [], bytes: 0, newest: writtenAt };
      }
      group.segments.push(entry);
      group.bytes += entry.bytes;
      if (writtenAt > group.newest) group.newest = writtenAt;
    }
  if (group !== undefined) yield group;
}

/** Where segments lie that a manifest names: its own, or another that was copied without its content. */
async function usedFolders(client: Client, versions: boolean): Promise<Set<string>> {
  const used = new Set<string>();
  for await (const page of entries(client, "", { after: behindSegments, versions }))
    for (const { name, slo_etag, version_id } of page) {
      if (slo_etag === undefined) continue;
      for (const segment of (await segmentNames(client, name, version_id)) ?? []) {
        const own = segment.startsWith(`/${client.container}/`) ? segment.slice(client.container.length + 2) : "";
        used.add(own.slice(0, own.lastIndexOf("/")));
      }
    }
  return used;
}

async function deleteAll(client: Client, segments: readonly Entry[]): Promise<void> {
  for (const { name, version_id: version } of segments)
    await client.ask({
      method: "DELETE",
      name,
      ...(version !== undefined && { query: { "version-id": version } }),
      accept: [404],
      take: nothing,
    });
}
