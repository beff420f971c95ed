import { useSyncExternalStore } from "react";
import type { RunState } from "@cais/spec/api.ts";

/** The states of a run, in the order in which they are offered as a filter. */
export const runStates = ["queued", "running", "done", "failed", "quarantined"] as const satisfies readonly RunState[];

/** What the page shows, as its address says it after `#`. */
export type Route =
  | { view: "send"; stack?: string | undefined }
  | { view: "runs"; stack?: string | undefined; state?: RunState | undefined }
  | { view: "run"; id: string }
  | { view: "tables" }
  | { view: "table"; stack: string; table: string; page: number }
  | { view: "missing" };

function decoded(path: string): string[] | null {
  try {
    return path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

/** Reads an address such as `#/runs/42`. An address that means nothing is `missing`. */
export function parseRoute(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#/, "").split("?", 2);
  const query = new URLSearchParams(search);
  const [noun, first, second, ...more] = decoded(path) ?? ["?"];
  if (more.length > 0) return { view: "missing" };
  if (noun === undefined) return { view: "send" };
  if (noun === "stacks" && first !== undefined && second === undefined) return { view: "send", stack: first };
  if (noun === "runs" && first === undefined) {
    const state = runStates.find((name) => name === query.get("state"));
    return { view: "runs", stack: query.get("stack") ?? undefined, state };
  }
  if (noun === "runs" && first !== undefined && second === undefined) return { view: "run", id: first };
  if (noun === "tables" && first === undefined) return { view: "tables" };
  if (noun === "tables" && first !== undefined && second !== undefined) {
    const page = Number(query.get("page") ?? 1);
    return { view: "table", stack: first, table: second, page: Number.isSafeInteger(page) && page > 0 ? page : 1 };
  }
  return { view: "missing" };
}

/** The address of a view, for `href`. */
export function href(route: Route): string {
  const part = encodeURIComponent;
  switch (route.view) {
    case "send":
      return route.stack === undefined ? "#/" : `#/stacks/${part(route.stack)}`;
    case "runs": {
      const query = new URLSearchParams();
      if (route.stack !== undefined) query.set("stack", route.stack);
      if (route.state !== undefined) query.set("state", route.state);
      return query.size === 0 ? "#/runs" : `#/runs?${query}`;
    }
    case "run":
      return `#/runs/${part(route.id)}`;
    case "tables":
      return "#/tables";
    case "table":
      return `#/tables/${part(route.stack)}/${part(route.table)}${route.page > 1 ? `?page=${route.page}` : ""}`;
    case "missing":
      return "#/";
  }
}

const subscribe = (listener: () => void) => {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
};

/** The view that the address asks for. */
export const useRoute = () => parseRoute(useSyncExternalStore(subscribe, () => location.hash));

/** Goes to a view; Back returns. */
export function go(route: Route) {
  location.hash = href(route);
}
