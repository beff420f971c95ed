import { z } from "zod";
import type { Call } from "./api.ts";

const Pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), namespace: z.string() }),
      status: z.object({ phase: z.string().optional() }),
    }),
  ),
});

/** Stands for a node and its kubelet: says of each pod that it runs and is ready. Nothing runs. Ends by its signal. */
export async function standInForNode(call: Call, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { items } = Pods.parse(JSON.parse((await call("GET", "/api/v1/pods")).text));
    for (const { metadata, status } of items)
      if (status.phase !== "Running")
        await call("PATCH", `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/status`, {
          status: {
            phase: "Running",
            podIP: "10.100.0.7",
            podIPs: [{ ip: "10.100.0.7" }],
            conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
              type,
              status: "True",
            })),
          },
        });
    // Between two looks, as a kubelet has them.
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
  }
}
