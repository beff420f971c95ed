import { z } from "zod";
import { type Client, nothing } from "./client.ts";
import { headOf } from "./head.ts";
import { readText } from "./http.ts";
import { RESERVED } from "./names.ts";
import { resultOf } from "./slo.ts";

/** https://docs.openstack.org/swift/latest/middleware.html#retrieving-a-large-object */
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
 * Whether a manifest names segments only where those of this object are: where we put them, or the usual clients. Who may
 * write here could else have anything deleted that the processor may delete, and a manifest that was copied has another's.
 */
async function ownsSegments(client: Client, key: string): Promise<boolean> {
  const { container } = client;
  const homes = [`/${container}/${RESERVED}${key}/`, `/${container}_segments/`];
  const names = await segmentNames(client, key);
  return names?.every((name) => homes.some((home) => name.startsWith(home))) ?? false;
}

/** The names that a manifest has, each with its container, of the newest version or of this one; undefined if it is not there. */
export async function segmentNames(client: Client, key: string, version?: string): Promise<string[] | undefined> {
  const { value, status } = await client.ask({
    method: "GET",
    name: key,
    query: {
      "multipart-manifest": "get",
      format: "json",
      ...(version !== undefined && { "version-id": version }),
    },
    accept: [404],
    take: (response) => readText(response),
  });
  if (status === 404) return undefined;
  return Manifest.parse(JSON.parse(value)).flatMap(({ name }) => name ?? []);
}
