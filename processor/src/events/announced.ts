/** Keys of objects that someone told of, each once, until they are looked at. */
export interface Announced {
  /** False: there are as many as it keeps. */
  add(key: string): boolean;
  /** Takes up to `count` keys out, the oldest first; waits until there is one. Rejects when `signal` aborts. */
  next(count: number, signal: AbortSignal): Promise<string[]>;
}

/** Keeps up to `limit` keys in memory. What is lost with the process, the scan at the next start finds. */
export function announced(limit: number): Announced {
  const keys = new Set<string>();
  let wake = Promise.withResolvers<void>();
  return {
    add(key) {
      if (!keys.has(key) && keys.size >= limit) return false;
      keys.add(key);
      wake.resolve();
      return true;
    },
    async next(count, signal) {
      const { promise: ended, reject } = Promise.withResolvers<never>();
      const end = () => reject(signal.reason);
      signal.addEventListener("abort", end);
      try {
        signal.throwIfAborted();
        while (keys.size === 0) {
          wake = Promise.withResolvers();
          await Promise.race([wake.promise, ended]);
        }
      } finally {
        signal.removeEventListener("abort", end);
      }
      const taken = [...keys.values().take(count)];
      for (const key of taken) keys.delete(key);
      return taken;
    },
  };
}
