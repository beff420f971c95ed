/** Where a run is in the API. */
export const runPath = (id: string) => `v1/runs/${encodeURIComponent(id)}`;
