import { ObjectKey } from "@cais/spec/names.ts";
import { z } from "zod";
import { type Client, nothing } from "./client.ts";
import { headOf } from "./head.ts";
import { readText } from "./http.ts";
import { entries } from "./list.ts";
import { RESERVED } from "./names.ts";
import { deleteSegments, resultOf } from "./slo.ts";

const Manifest = z.array(z.object({ name: z.string().optional().describe("A piece without one is in the manifest.") }));

/** Deletes an object, a large one with its segments, unless the container keeps what is deleted. */
export async function deleteObject(client: Client, key: string, isVersioned: boolean): Promise<void> {
  const head = isVersioned ? undefined : await headOf(client, key);
  if (head?.isSegmented === true && (await ownsSegments(client, key))) {
    await client.ask({
      method: "DELETE",
      name: key,
      query: { "multipart-manifest": "delete" },
      headers: { accept: "application/json" },
      accept: [404],
      take: async (response) => {
        const text = await readText(response);
        if (response.statusCode === 200) resultOf(text, `the segments of the object ${JSON.stringify(key)}`, 404);
      },
    });
    return;
  }
  await client.ask({ method: "DELETE", name: key, accept: [404], take: nothing });
}

/**
 * Whether a manifest names segments only where segments of this container's objects are: here, or where the usual clients
 * put them. Who may write here could else have anything deleted that the processor may delete.
 */
async function ownsSegments(client: Client, key: string): Promise<boolean> {
  const { value, status } = await client.ask({
    method: "GET",
    name: key,
    query: { "multipart-manifest": "get", format: "json" },
    accept: [404],
    take: (response) => readText(response),
  });
  if (status === 404) return false;
  const { container } = client;
  const homes = [`/${container}/${RESERVED}`, `/${container}_segments/`];
  return Manifest.parse(JSON.parse(value)).every(({ name }) => homes.some((home) => name?.startsWith(home) ?? true));
}

/** Segments of an upload that was cut off. */
export interface Leftover {
  key: string;
  bytes: number;
}

/**
 * Deletes, or with `dryRun` only finds, the segments that no object has and that are older than `before`: a process was killed
 * while it sent them. In a container that keeps replaced objects only those of keys that were never written.
 */
export async function collectSegments(
  client: Client,
  { before, dryRun, isVersioned }: { before: Date; dryRun: boolean; isVersioned: boolean },
): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for await (const group of groups(client)) {
    if (group.newest >= before) continue;
    const head = await headOf(client, group.key);
    if (head?.put === group.put || (isVersioned && (await hasVersions(client, group.key)))) continue;
    if (!dryRun) await deleteSegments(client, group.names);
    found.push({ key: `${RESERVED}${group.key}/${group.put}`, bytes: group.bytes });
  }
  return found;
}

interface Group {
  key: string;
  put: string;
  names: string[];
  bytes: number;
  newest: Date;
}

/** The segments of each put, which a listing gives side by side. */
async function* groups(client: Client): AsyncGenerator<Group> {
  let group: Group | undefined;
  for await (const page of entries(client, RESERVED))
    for (const { name, bytes, last_modified } of page) {
      const [, key, put] = /^(.+)\/([0-9a-f-]{36})\/\d{5}$/.exec(name.slice(RESERVED.length)) ?? [];
      if (key === undefined || put === undefined) continue;
      // With a part such as `..` its address would be another object's.
      if (!ObjectKey.safeParse(key).success) continue;
      const writtenAt = new Date(`${last_modified.replace(/Z$/, "")}Z`);
      if (group?.key !== key || group.put !== put) {
        if (group !== undefined) yield group;
        group = { key, put, names: [], bytes: 0, newest: writtenAt };
      }
      group.names.push(name);
      group.bytes += bytes;
      if (writtenAt > group.newest) group.newest = writtenAt;
    }
  if (group !== undefined) yield group;
}

/** Whether a container that keeps replaced objects has any of this key. */
async function hasVersions(client: Client, key: string): Promise<boolean> {
  const { value } = await client.ask({
    method: "GET",
    query: { format: "json", versions: "true", prefix: key, limit: "1" },
    take: (response) => readText(response),
  });
  return z.array(z.unknown()).parse(JSON.parse(value === "" ? "[]" : value)).length > 0;
}
