/** Thrown when so much waits already that nothing more is taken. */
export class TooManyQueries extends Error {
  override name = "TooManyQueries";
}

/** Lets so much work go on at a time, each in a place of its own; so much more may wait, in its order. */
export function slots(count: number, waiting: number): <T>(work: (slot: string) => Promise<T>) => Promise<T> {
  const free = Array.from({ length: count }, (_, index) => String(index));
  const queue: ((slot: string) => void)[] = [];
  async function take(): Promise<string> {
    const slot = free.pop();
    if (slot !== undefined) return slot;
    if (queue.length >= waiting)
      throw new TooManyQueries(`There are ${count} queries at work and ${waiting} waiting; try again later.`);
    return new Promise((resolve) => queue.push(resolve));
  }
  return async (work) => {
    const slot = await take();
    try {
      return await work(slot);
    } finally {
      const next = queue.shift();
      if (next === undefined) free.push(slot);
      else next(slot);
    }
  };
}
