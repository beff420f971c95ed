import { inspect } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { expect, it, vi } from "vitest";
import { type BuiltTarget, builtTargets, type Omitted, provides } from "./target.ts";

/** A resource as a provider would be asked for it. */
export interface Created {
  type: string;
  name: string;
  inputs: unknown;
}

export interface Recording<Result> {
  result: Result;
  /** By name, then type; components are left out. A secret input is `{ secret: its value }`. */
  created: Created[];
  warnings: string[];
}

/** A certificate (PEM) of an authority that nobody trusts: EC, valid until 2126, its key thrown away. */
export const authority = `-----BEGIN CERTIFICATE-----
MIIBhjCCASugAwIBAgIUVAo9+UYO6ssxka8ELjxE1QlVWjYwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMYW4gYXV0aG9yaXR5MCAXDTI2MTEyMjA1NTIzOVoYDzIxMjYx
MDI5MDU1MjM5WjAXMRUwEwYDVQQDDAxhbiBhdXRob3JpdHkwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARQjOF42LlNmyVpOkmfu5KVXLKtsNzq9EvFnO6Q/DQvPOVM
/vqdZy27wNcoPTQqAqm7upp4F+aoZB29Gf9jINUao1MwUTAdBgNVHQ4EFgQUH7zP
2CUGRizcEg2lToSAj6RwppAwHwYDVR0jBBgwFoAUH7zP2CUGRizcEg2lToSAj6Rw
ppAwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA0r9SnEcOnQcW
5sKvM3ljW+35ebpcuAPbu+yw10ms1f4CIQC/8BpDZHdKGz3/lcOzlTHbOR0Dp+vn
3rU36MUgwUY4ng==
-----END CERTIFICATE-----
`;

/** Config with which every component can be made on every target. */
export const config = {
  "cais:target": "local",
  "openstack:authUrl": "https://keystone.test/v3",
  "openstack:region": "RegionOne",
};

/** Where a provider says that things are. */
const addresses = {
  allFixedIps: ["10.20.0.7"],
  address: "203.0.113.7",
  vipAddress: "10.20.0.8",
  addresses: ["10.20.0.9"],
  apiAddress: "https://10.20.0.10:6443",
  kubeconfig: { raw_config: "a kubeconfig" },
};

/** Makes something against Pulumi's mocks and waits until all of it is registered; outputs in the result are resolved. */
export async function record<Result>(make: () => Result | Promise<Result>, settings: Record<string, string> = config) {
  const created: Created[] = [];
  await pulumi.runtime.setMocks({
    newResource({ type, name, inputs, custom }) {
      if (custom !== false) created.push({ type, name, inputs: withMarkedSecrets(inputs) });
      const made = {
        name: `${name}-1a2b3c4`,
        secret: `secret of ${name}`,
        secretRef: `https://barbican.test/v1/secrets/${name}`,
      };
      return { id: `id of ${name}`, state: { ...addresses, ...made, ...inputs } };
    },
    call: ({ token }) => {
      throw new Error(`${token} was called, and an offline plan could not answer it`);
    },
  });
  pulumi.runtime.setAllConfig(settings);
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  try {
    const result = await make();
    // Children register after the constructor returns: without this, tests prove nothing.
    await pulumi.runtime.disconnect();
    created.sort((a, b) => a.name.localeCompare(b.name) || a.type.localeCompare(b.type));
    return { result, created, warnings: warn.mock.calls.map(([message]) => message) } satisfies Recording<Result>;
  } catch (error) {
    // What was registered before the error must not reach the next recording.
    await pulumi.runtime.disconnect();
    throw error;
  } finally {
    warn.mockRestore();
  }
}

/** How Pulumi's wire marks a secret: https://github.com/pulumi/pulumi/blob/master/sdk/nodejs/runtime/rpc.ts, `specialSigKey`. */
const signature = "4dabf18193072939515e22adb298388d";

function withMarkedSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMarkedSecrets);
  if (typeof value !== "object" || value === null) return value;
  if (signature in value && "value" in value) return { secret: withMarkedSecrets(value.value) };
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withMarkedSecrets(inner)]));
}

/** The value of an output, or of anything that holds outputs. */
export const resolved = <T>(value: T): Promise<pulumi.Unwrap<T>> =>
  new Promise((resolve) => {
    pulumi.output(value).apply(resolve);
  });

type Change<Args> = (target: BuiltTarget) => Partial<Args>;

/**
 * Tests that each argument changes what a component asks for on each target, or is declared unsupported there and then
 * changes nothing without a word. `changes` must name every argument, so a new one cannot be forgotten.
 */
export function testArguments<Args extends { target?: BuiltTarget | undefined }>(
  entries: Record<BuiltTarget, { unsupported: { readonly [Key in keyof Args]?: string } } | Omitted>,
  base: (target: BuiltTarget) => Args,
  changes: Record<Exclude<keyof Args, "target">, Change<Args>> & Record<string, Change<Args>>,
  make: (args: Args) => unknown,
): void {
  const observe = async (target: BuiltTarget, change: Change<Args>) => {
    try {
      const { result, created, warnings } = await record(() => make({ ...base(target), ...change(target), target }), {
        ...config,
        "cais:allowDataDeletion": "true",
      });
      const seen = inspect({ created, result: await resolved(result) }, { depth: null });
      return { seen, warnings, refused: undefined };
    } catch (error) {
      return { seen: "", warnings: [], refused: String(error) };
    }
  };
  const named = Object.entries<Change<Args>>(changes);
  for (const target of builtTargets) {
    const entry = entries[target];
    if (!provides(entry)) continue;
    // One recording serves every argument: it is what they are compared with.
    let first: ReturnType<typeof observe> | undefined;
    const unchanged = () => (first ??= observe(target, () => ({})));
    const isGap = ([key]: [string, unknown]) => key in entry.unsupported;
    it.each(named.filter((argument) => !isGap(argument)))(`honours %s on ${target}`, async (_, change) => {
      const plain = await unchanged();
      const changed = await observe(target, change);
      expect([plain.refused, changed.refused]).toEqual([undefined, undefined]);
      expect(plain.warnings).not.toContainEqual(expect.stringContaining("has no effect"));
      expect(changed.seen).not.toBe(plain.seen);
    });
    it.each(named.filter(isGap))(`tells that %s has no effect on ${target}`, async (key, change) => {
      const plain = await unchanged();
      const changed = await observe(target, change);
      expect([...changed.warnings, changed.refused]).toContainEqual(
        expect.stringContaining(`${key} has no effect on ${target}: `),
      );
      expect(changed.refused === undefined ? changed.seen : plain.seen).toBe(plain.seen);
    });
  }
}
