import type { DeliveryState, RejectedRow, Run, Runs, RunState, Stacks, TableRows, Tables } from "@cais/spec/api.ts";
import type { Lineage } from "@cais/spec/lineage.ts";
import type { Sinks } from "@cais/spec/sink-status.ts";
import type { TableVersions } from "@cais/spec/table-versions.ts";
import { infiniteQueryOptions, keepPreviousData, QueryClient, queryOptions } from "@tanstack/react-query";
import type { z } from "zod";
import { readNdjson } from "./ndjson.ts";
import { Refused, request } from "./request.ts";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // A refusal is final; a lost connection may come back.
      retry: (failures, error) => !(error instanceof Refused) && failures < 2,
      // The service may be on this very machine: being offline is no reason not to ask it.
      networkMode: "always",
      staleTime: 1000,
    },
  },
});

const json = async <T>(path: string, signal: AbortSignal): Promise<T> => (await request(path, signal)).json();

const moving = (run: Run) => run.state === "queued" || run.state === "running";

export const stacksQuery = queryOptions({
  queryKey: ["stacks"],
  queryFn: ({ signal }) => json<z.output<typeof Stacks>>("v1/stacks", signal),
  staleTime: 60_000,
});

/** A run, asked for again twice a second until it ends, and then while its sinks deliver. */
export const runQuery = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => json<Run>(`v1/runs/${encodeURIComponent(id)}`, signal),
    refetchInterval: ({ state: { data } }) =>
      data === undefined ? false : moving(data) ? 500 : data.deliveries.some(delivering) && 2000,
  });

const delivering = ({ state }: { state: DeliveryState }) =>
  state === "pending" || state === "delivering" || state === "retrying";

/** What a run made of what, asked for again while it moves or delivers, and when it has come to another state. */
export const lineageQuery = (run: Run) =>
  queryOptions({
    queryKey: ["lineage", run.id, run.state, run.outputs.length],
    queryFn: ({ signal }) => json<Lineage>(`v1/runs/${encodeURIComponent(run.id)}/lineage`, signal),
    placeholderData: keepPreviousData,
    refetchInterval: moving(run) || run.deliveries.some(delivering) ? 2000 : false,
  });

export interface RunFilter {
  stack?: string | undefined;
  state?: RunState | undefined;
}

const runsPath = ({ stack, state }: RunFilter, limit: number, before: string | null) => {
  const search = new URLSearchParams({ limit: String(limit) });
  if (stack !== undefined) search.set("stack", stack);
  if (state !== undefined) search.set("state", state);
  if (before !== null) search.set("before", before);
  return `v1/runs?${search}`;
};

/** Runs, newest first, `limit` at a time. Asked for again every 2 seconds while one moves, else every 15. */
export const runsQuery = (filter: RunFilter, limit: number) =>
  infiniteQueryOptions({
    queryKey: ["runs", filter.stack ?? null, filter.state ?? null, limit],
    queryFn: ({ signal, pageParam }) => json<Runs>(runsPath(filter, limit, pageParam), signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.pages.some(({ runs }) => runs.some(moving)) === true ? 2000 : 15_000),
  });

/** The runs of the file whose first run is `root`, newest first. */
export const fileRunsQuery = (root: string) =>
  queryOptions({
    queryKey: ["runs", "of", root],
    queryFn: ({ signal }) => json<Runs>(`v1/runs?file=${encodeURIComponent(root)}&limit=100`, signal),
    refetchInterval: ({ state }) => (state.data?.runs.some(moving) === true ? 1000 : false),
  });

/** More rejected rows than this are not listed; the download has them all. */
export const rejectedLimit = 10_000;

export const rejectedQuery = (id: string) =>
  queryOptions({
    queryKey: ["rejected", id],
    queryFn: async ({ signal }) => {
      const { body } = await request(`v1/runs/${encodeURIComponent(id)}/rejected`, signal);
      return body === null ? { rows: [], more: false } : readNdjson<RejectedRow>(body, rejectedLimit);
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

export const tablesQuery = queryOptions({
  queryKey: ["tables"],
  queryFn: ({ signal }) => json<z.output<typeof Tables>>("v1/tables", signal),
});

/** Where a table is in the API. Add `.csv` for the whole of it. */
export const tablePath = (stack: string, table: string) =>
  `v1/tables/${encodeURIComponent(stack)}/${encodeURIComponent(table)}`;

export const rowsQuery = (stack: string, table: string, limit: number, offset: number) =>
  queryOptions({
    queryKey: ["rows", stack, table, limit, offset],
    queryFn: ({ signal }) => json<TableRows>(`${tablePath(stack, table)}?limit=${limit}&offset=${offset}`, signal),
    placeholderData: keepPreviousData,
  });

/** More rows than this are not drawn. */
export const chartLimit = 5000;
const chartPage = 1000;

/** The rows that a chart is drawn from: the whole table up to `chartLimit`. `version` is when the table changed last. */
export const chartQuery = (stack: string, table: string, version: string | null) =>
  queryOptions({
    queryKey: ["chart", stack, table, version],
    queryFn: async ({ signal }) => {
      const page = (offset: number) =>
        json<TableRows>(`${tablePath(stack, table)}?limit=${chartPage}&offset=${offset}`, signal);
      const whole = await page(0);
      while (whole.data.length < Math.min(whole.rows, chartLimit)) {
        const { data } = await page(whole.data.length);
        if (data.length === 0) break;
        whole.data.push(...data);
      }
      return whole;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The versions of a table, newest first. */
export const versionsQuery = (stack: string, table: string) =>
  infiniteQueryOptions({
    queryKey: ["versions", stack, table],
    queryFn: ({ signal, pageParam }) => {
      const before = pageParam === null ? "" : `&before=${pageParam}`;
      return json<TableVersions>(`${tablePath(stack, table)}/versions?limit=20${before}`, signal);
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
  });

/** The sinks of all stacks, asked for again while something waits to be delivered. */
export const sinksQuery = queryOptions({
  queryKey: ["sinks"],
  queryFn: ({ signal }) => json<Sinks>("v1/sinks", signal),
  refetchInterval: ({ state }) => (state.data?.sinks.some(({ waiting }) => waiting > 0) === true ? 3000 : 15_000),
});
