import type { Orders } from "./point.ts";

/** Sets this process' clock forth and back in turns. What measures time from the start of the process stays right. */
export function setClock(clock: Orders["clock"]): void {
  if (clock === null) return;
  const Real = Date;
  let shift = 0;
  let forth = true;
  setInterval(() => {
    shift = forth ? clock.hours * 3_600_000 : -clock.hours * 3_600_000;
    forth = !forth;
  }, clock.everyMs).unref();
  globalThis.Date = new Proxy(Real, {
    construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [Real.now() + shift] : args, self),
    get: (target, key, self) => (key === "now" ? () => Real.now() + shift : Reflect.get(target, key, self)),
  });
}
