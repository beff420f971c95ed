import { rules as budget } from "./budget.ts";
import { rules as heat } from "./heat.ts";
import { rules as identity } from "./identity.ts";
import { rules as network } from "./network.ts";
import { rules as objectStore } from "./object-store.ts";
import { rules as processor } from "./processor.ts";
import { rules as environment } from "./environment.ts";
import { rules as image } from "./image.ts";
import { rules as plainSecret } from "./plain-secret.ts";
import { rules as region } from "./region.ts";
import { rules as size } from "./size.ts";
import { rules as tags } from "./tags.ts";
import { rules as cluster } from "./cluster.ts";
import { rules as database } from "./database.ts";
import { rules as instance } from "./instance.ts";
import { rules as loadBalancer } from "./load-balancer.ts";
import { rules as volume } from "./volume.ts";
import type { Rule } from "./rule.ts";
import { rules as secret } from "./secret.ts";
import { throughHeat } from "./through-heat.ts";

/** Every rule of the pack, by noun. Reading them starts nothing; `index.ts` makes them a pack. */
export const rulesByNoun = {
  "object-store": objectStore,
  secret,
  identity,
  network,
  instance,
  volume,
  cluster,
  database,
  "load-balancer": loadBalancer,
  processor,
  heat,
  tags,
  region,
  size,
  budget,
  environment,
  "plain-secret": plainSecret,
  image,
} satisfies Record<string, readonly Rule[]>;

export const rules: readonly Rule[] = Object.values(rulesByNoun).flat().map(throughHeat);
