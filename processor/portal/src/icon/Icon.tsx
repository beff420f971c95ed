/** Drawn on a grid of 24, as strokes. */
const drawings = {
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3",
  download: "M12 4v12m0 0 5-5m-5 5-5-5M4 16v2a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-2",
  check: "M5 12.5 10 17.5 19 7",
  cross: "M6 6 18 18M18 6 6 18",
  alert: "M12 8v5m0 3.5v.01M12 3 2.5 20h19L12 3Z",
  clock: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
  file: "M13 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9m-6-6 6 6m-6-6v6h6",
  table: "M4 5h16v14H4V5Zm0 5h16M4 14.5h16M10 10v9",
  chart: "M4 20h16M7 16v-5m5 5V5m5 11v-8",
  back: "M20 12H5m0 0 6-6m-6 6 6 6",
  again: "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6",
  info: "M12 11v5m0-8.5v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
  send: "M21 3 10 14M21 3l-7 18-4-7-7-4 18-7Z",
  key: "M14.5 9.5a5 5 0 1 0-4 4L12 15h2v2h2v2h4v-4l-5.5-5.5ZM7.5 8.5v.01",
} as const;

export type IconName = keyof typeof drawings;

/** A decoration: the words beside it say the same. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={drawings[name]} />
    </svg>
  );
}
