import { z } from "zod";
import type { ObjectHead } from "../index.ts";
import type { Client } from "./client.ts";
import { readText } from "./http.ts";
import { BEHIND_RESERVED, isReserved, keyOf, RESERVED, timeOf, versionOfListing } from "./names.ts";

const Page = z.array(
  z.object({
    name: z.string(),
    bytes: z.number(),
    last_modified: z.string(),
    content_type: z.string().optional(),
    symlink_path: z.string().optional(),
    version_symlink: z.boolean().optional().describe("It leads to the newest version of the object itself."),
    slo_etag: z.string().optional().describe("Of a manifest."),
    version_id: z.string().optional().describe("Where all versions are listed."),
  }),
);
export type Entry = z.output<typeof Page>[number];

/** What programs write for a folder that is empty. */
const FOLDER = "application/directory";

/**
 * The entries of a container whose names begin so, page by page: a server gives 10,000 at most, or as few as its operator
 * likes, so only an empty page is the last one. `after`: what the next page's names sort behind, by the last name of one.
 * `versions`: those that were replaced or deleted as well, the newest first.
 */
export async function* entries(
  client: Client,
  prefix: string,
  { after = (last) => last, versions = false }: { after?: (last: string) => string; versions?: boolean } = {},
): AsyncGenerator<Entry[]> {
  for (let marker: Record<string, string> = {}; ;) {
    const { value } = await client.ask({
      method: "GET",
      query: { format: "json", ...(prefix !== "" && { prefix }), ...(versions && { versions: "true" }), ...marker },
      take: (response) => readText(response),
    });
    const page = Page.parse(JSON.parse(value === "" ? "[]" : value));
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    const next = after(last.name);
    const version = next === last.name ? last.version_id : undefined;
    marker = { marker: next, ...(version !== undefined && { version_marker: version }) };
  }
}

/** The objects of a folder, without what is no object to Cais: segments, symlinks, marks of empty folders. */
export async function* listObjects(
  client: Client,
  folder: string,
  onOther?: (name: string) => void,
): AsyncGenerator<ObjectHead> {
  for await (const page of entries(client, folder === "" ? "" : `${folder}/`, { after: behindSegments }))
    for (const { name, bytes, last_modified, content_type, symlink_path, version_symlink = false } of page) {
      if (isReserved(name) || (content_type === FOLDER && bytes === 0)) continue;
      const key = keyOf(name);
      if (key === undefined || (symlink_path !== undefined && !version_symlink)) {
        onOther?.(name);
        continue;
      }
      const version = versionOfListing(last_modified);
      yield { key, bytes, version, modifiedAt: timeOf(version) };
    }
}

/** Segments may be many, and lie side by side. */
export const behindSegments = (last: string): string => (last.startsWith(RESERVED) ? BEHIND_RESERVED : last);
