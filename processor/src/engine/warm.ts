import { type Engine, type EngineOptions, type Session, startEngine } from "./index.ts";

/** How long an engine waits for more work of its stack before it ends. Starting one takes most of a second. */
const IDLE_MS = 10_000;

/** Memory that an idle engine may hold. One that holds more ends, and gives it back. */
const IDLE_BYTES = 600e6;

/** The engines of all stacks, one process each, kept for a moment after its work. */
export interface Engines {
  /**
   * Does work in a session of the stack's engine. Work of one stack follows one another. An engine in which work throws is
   * ended, so the next work finds another one.
   */
  use<T>(stack: string, session: Session, work: (engine: Engine) => Promise<T>): Promise<T>;
  /** Whether the last engine that was started did start. */
  canStart(): boolean;
  /** Ends those that wait; work in progress is ended by its session's signal. */
  stop(): Promise<void>;
}

export function keepEngines(options: EngineOptions, idleMs = IDLE_MS): Engines {
  const waiting = new Map<string, { engine: Engine; timer: NodeJS.Timeout }>();
  let stopped = false;
  let started = true;

  function takeWaiting(stack: string): Engine | undefined {
    const found = waiting.get(stack);
    if (found === undefined) return undefined;
    waiting.delete(stack);
    clearTimeout(found.timer);
    return found.engine.isAlive() ? found.engine : undefined;
  }

  function keep(stack: string, engine: Engine): void {
    const timer = setTimeout(() => {
      waiting.delete(stack);
      void engine.stop();
    }, idleMs);
    // An engine that waits for work is no reason for the processor to stay.
    timer.unref();
    waiting.set(stack, { engine, timer });
  }

  async function open(engine: Engine, session: Session): Promise<void> {
    try {
      await engine.open(session);
      started = true;
    } catch (error) {
      // One that was ended with the processor says nothing of the next.
      started = session.signal?.aborted === true;
      throw error;
    }
  }

  return {
    canStart: () => started,
    async use(stack, session, work) {
      const engine = takeWaiting(stack) ?? startEngine(options);
      try {
        await open(engine, session);
        const result = await work(engine);
        if (engine.isAlive() && (await engine.close()) < IDLE_BYTES && !stopped) keep(stack, engine);
        else await engine.stop();
        return result;
      } catch (error) {
        await engine.stop();
        throw error;
      }
    },
    async stop() {
      stopped = true;
      await Promise.all([...waiting.keys()].map((stack) => takeWaiting(stack)?.stop()));
    },
  };
}
