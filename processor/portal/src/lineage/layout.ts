/** A box to be placed: what it is called, and what it is made of. */
export interface Graph {
  nodes: readonly { id: string; last?: boolean }[];
  edges: readonly { from: string; to: string }[];
}

/** Sizes of the picture, in pixels. */
export interface Sizes {
  /** What the picture may take, if the boxes do not become too small. */
  width: number;
  box: { min: number; max: number; height: number };
  gap: { x: number; y: number };
}

export interface Layout {
  width: number;
  height: number;
  boxes: Map<string, { x: number; y: number; width: number; height: number }>;
  /** A path of SVG for each edge, in their order. */
  curves: string[];
}

/** A place in a column: of a box, or of an edge that passes this column. */
interface Place {
  key: string;
  box: boolean;
  column: number;
  /** Places in the column before. */
  before: Place[];
  y: number;
}

/** Room that an edge takes in a column which it passes. */
const PASSING = 12;
const ROUNDS = 4;

/**
 * Places a graph without cycles from the left to the right: each box in the column after the last one that it is made of,
 * those that are `last` in the last column, and within a column near what they are made of, so that few edges cross.
 */
export function layOut({ nodes, edges }: Graph, { width, box, gap }: Sizes): Layout {
  const { columns, routes } = placesOf(nodes, edges);
  for (let round = 0; round < ROUNDS; round++) orderByNeighbours(columns);
  const roomOf = ({ box: isBox }: Place) => (isBox ? box.height : PASSING);
  const heights = columns.map((places) => places.reduce((sum, place) => sum + roomOf(place) + gap.y, -gap.y));
  const height = Math.max(0, ...heights);
  columns.forEach((places, index) => {
    let y = (height - (heights[index] ?? 0)) / 2;
    for (const place of places) {
      place.y = y + roomOf(place) / 2;
      y += roomOf(place) + gap.y;
    }
  });
  const count = Math.max(1, columns.length);
  const room = Math.floor((width - (count - 1) * gap.x) / count);
  const wide = Math.min(box.max, Math.max(box.min, room));
  const left = ({ column }: Place) => column * (wide + gap.x);
  const boxes = new Map(
    columns
      .flat()
      .filter((place) => place.box)
      .map((place) => [place.key, { x: left(place), y: place.y - box.height / 2, width: wide, height: box.height }]),
  );
  const curves = routes.map((places) =>
    places.map((place, index) => {
      const previous = places[index - 1];
      if (previous === undefined) return `M${left(place) + wide} ${place.y}`;
      const middle = left(place) - gap.x / 2;
      const bend = `C${middle} ${previous.y} ${middle} ${place.y} ${left(place)} ${place.y}`;
      return place.box ? bend : `${bend}H${left(place) + wide}`;
    }),
  );
  return {
    width: count * wide + (count - 1) * gap.x,
    height,
    boxes,
    curves: curves.map((parts) => parts.join("")),
  };
}

/** The columns, and for each edge the places that it goes through. */
function placesOf(nodes: Graph["nodes"], edges: Graph["edges"]) {
  const made = new Map(nodes.map(({ id }) => [id, edges.filter(({ to }) => to === id).map(({ from }) => from)]));
  const ranks = new Map<string, number>();
  const rankOf = (id: string): number => {
    const known = ranks.get(id);
    if (known !== undefined) return known;
    const rank = Math.max(-1, ...(made.get(id) ?? []).map(rankOf)) + 1;
    ranks.set(id, rank);
    return rank;
  };
  const last = Math.max(0, ...nodes.map(({ id }) => rankOf(id)));
  const columns: Place[][] = Array.from({ length: last + 1 }, () => []);
  const put = (key: string, column: number, box: boolean): Place => {
    const place = { key, box, column, before: [], y: 0 };
    columns[column]?.push(place);
    return place;
  };
  const places = new Map(nodes.map(({ id, last: end }) => [id, put(id, end === true ? last : rankOf(id), true)]));
  const routes = edges.map(({ from, to }) => {
    const [start, end] = [places.get(from), places.get(to)];
    if (start === undefined || end === undefined) return [];
    const route = [start];
    for (let column = start.column + 1; column < end.column; column++) route.push(put(`${from} ${to}`, column, false));
    route.push(end);
    route.forEach((place, index) => place.before.push(...route.slice(Math.max(0, index - 1), index)));
    return route;
  });
  return { columns, routes };
}

/** Sorts each column by the mean position of what its places come from; a place that comes from nothing stays. */
function orderByNeighbours(columns: Place[][]): void {
  for (const [column, places] of columns.entries()) {
    const above = columns[column - 1] ?? [];
    const mean = (place: Place) =>
      place.before.length === 0
        ? places.indexOf(place)
        : place.before.reduce((sum, before) => sum + above.indexOf(before), 0) / place.before.length;
    const means = new Map(places.map((place) => [place, mean(place)]));
    places.sort((a, b) => (means.get(a) ?? 0) - (means.get(b) ?? 0));
  }
}
