/** Thrown when a delivery cannot succeed before someone does what the message says. */
export class DeliveryRefused extends Error {
  override name = "DeliveryRefused";
}

/**
 * Thrown when a delivery may succeed later. The message tells no secret. `afterSeconds`: not before, as who receives it asks.
 * `counts`: whether it was one of the sink's attempts, which it was not if it only waits its turn.
 */
export class DeliveryDelayed extends Error {
  override name = "DeliveryDelayed";
  readonly afterSeconds: number;
  readonly counts: boolean;
  constructor(message: string, options: ErrorOptions & { afterSeconds?: number; counts?: boolean } = {}) {
    super(message, options);
    this.afterSeconds = options.afterSeconds ?? 0;
    this.counts = options.counts ?? true;
  }
}

/** Thrown when a secret that a delivery needs cannot be read; the message says which file. The delivery waits for it. */
export class SecretMissing extends DeliveryDelayed {
  override name = "SecretMissing";
}
