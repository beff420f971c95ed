/** From cold to warm; each has at least 3:1 on its ground (WCAG 2.2, 1.4.11). */
const scales = {
  light: ["#7f8c99", "#2a8fb8", "#1f5fb4", "#6a45b8", "#b0337f", "#c43d1a"],
  dark: ["#7d8998", "#52b4d6", "#5c9bf0", "#a98af0", "#ea78b8", "#ff8f6b"],
};

/** Colours for so many series, spread over the whole scale. One series has the page's own colour. */
export function coloursOf(scheme: "light" | "dark", count: number): string[] {
  const scale = scales[scheme];
  if (count === 1) return [scale[1] ?? ""];
  return Array.from({ length: count }, (_, i) => scale[Math.round((i * (scale.length - 1)) / (count - 1))] ?? "");
}
