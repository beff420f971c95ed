import { PolicyPack } from "@pulumi/policy";

const container = "openstack:objectstorage/container:Container";
const volume = "openstack:blockstorage/volume:Volume";

/** What a provider's Check adds is left out by the rules, and dependencies, which come in any order, are sorted. */
const told = (value: unknown): string => JSON.stringify(value);

const names = (all: { name: string }[]) => all.map(({ name }) => name).toSorted();

export const pack = new PolicyPack("recorded-pack", {
  policies: [
    {
      name: "told-of-a-resource",
      description: "Tells what a resource rule is told.",
      enforcementLevel: "advisory",
      severity: "low",
      validateResource: ({ type, name, props, opts, provider }, report) => {
        if (type !== container) return;
        const { region, contentType } = props;
        const { parent, protect, ignoreChanges, aliases, deleteBeforeReplace, additionalSecretOutputs } = opts;
        report(told({ name, region, contentType, parent, protect, ignoreChanges, aliases }));
        report(told({ deleteBeforeReplace, additionalSecretOutputs, provider: provider?.name, urn: provider?.urn }));
      },
    },
    {
      name: "asked-about",
      description: "Tells what rules are asked about.",
      enforcementLevel: "advisory",
      validateResource: ({ type, opts }, report) => report(`${type} below ${opts.parent}`),
    },
    {
      name: "told-of-a-secret",
      description: "Tells what a rule sees of secrets.",
      enforcementLevel: "advisory",
      validateResource: ({ type, props }, report) => {
        if (type === "openstack:compute/keypair:Keypair") report(`publicKey is a ${typeof props["publicKey"]}`);
      },
    },
    {
      name: "reads-what-is-unknown",
      description: "Cannot run before a deployment.",
      enforcementLevel: "mandatory",
      validateResource: ({ type, props }, report) => {
        if (type === "openstack:networking/subnet:Subnet") report(`in ${props["networkId"]}`);
      },
    },
    {
      name: "no-unprotected-volume",
      description: "Volumes must be protected.",
      enforcementLevel: "mandatory",
      severity: "high",
      validateResource: ({ type, opts, name }, report) => {
        if (type === volume && !opts.protect) report(`the volume ${name} must be protected`);
      },
    },
    {
      name: "configured",
      description: "Reads its config's default, and the stack's name.",
      enforcementLevel: "advisory",
      configSchema: { properties: { word: { type: "string", default: "from-the-schema" } } },
      validateResource: ({ type, getConfig, stackTags }, report) => {
        if (type === "pulumi:pulumi:Stack") report(`${getConfig<{ word: string }>().word} ${stackTags.size}`);
      },
    },
    {
      name: "switched-off",
      description: "Never runs.",
      enforcementLevel: "disabled",
      validateResource: (_, report) => report("ran"),
    },
    {
      name: "told-of-the-stack",
      description: "Tells what a stack rule is told.",
      enforcementLevel: "advisory",
      validateStack: ({ resources }, report) => {
        for (const { type, urn, name, parent, dependencies, propertyDependencies, opts, provider } of resources) {
          const byProperty = Object.entries(propertyDependencies)
            .filter(([, of]) => of.length > 0)
            .map(([key, of]) => [key, names(of)] as const)
            .toSorted();
          report(
            told({
              type,
              name,
              parent: parent?.name,
              on: names(dependencies),
              byProperty,
              provider: provider?.name,
              protect: opts.protect,
            }),
            urn,
          );
        }
        report("about the stack as a whole");
      },
    },
  ],
});
