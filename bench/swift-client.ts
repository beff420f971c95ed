import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ObjectStoreBinding } from "@cais/spec/bindings.ts";
import { openObjectStore } from "@cais/processor/src/object-store/index.ts";

/** One transfer by the processor's driver, in a process of its own so that it can be measured. */
const [what = "", binding = "", key = "", file = ""] = process.argv.slice(2);
const folder = resolve(binding, "..");
const store = await openObjectStore(ObjectStoreBinding.parse(JSON.parse(await readFile(binding, "utf8"))), folder);
const started = performance.now();
if (what === "put-file") await store.putFile(key, file);
else if (what === "put-stream") await store.put(key, createReadStream(file));
else if (what === "fetch") await store.fetch(key, file);
else throw new Error(`There is no transfer "${what}".`);
// Starting Node and getting a token are no part of a processor's transfer.
process.stdout.write(String((performance.now() - started) / 1000));
