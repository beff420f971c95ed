import { environments, StackName, targets } from "@cais/spec/names.ts";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";

/** What a shared Pulumi stack says of itself to the isolated ones: its stack output `platform`, known before a deployment. */
export const Platform = z.object({
  environment: z.enum(environments),
  target: z.enum(targets),
  /** The processor's image. */
  image: z.string().optional(),
  /** Which port of the machine is whose, and who may call it (CIDRs). */
  isolated: z.record(StackName, z.object({ port: z.number().int(), allowFrom: z.array(z.string()) })),
});
export type Platform = z.output<typeof Platform>;

/** All that a shared Pulumi stack hands to the isolated ones: these stack outputs, by their names. */
export interface Handover {
  platform: Platform;
  /** Where the cluster takes its workloads from. */
  workloads: pulumi.Output<string>;
}

/**
 * Takes over from a shared Pulumi stack of the project. Throws a `RunError` that names it when it is not deployed, or
 * was by a version that says something else.
 */
export async function takeOver(shared: string): Promise<Handover> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${shared}`;
  const reference = new pulumi.StackReference(name);
  const { value } = await reference.getOutputDetails("platform");
  const { data, error } = Platform.safeParse(value);
  if (error) {
    const problem =
      value === undefined
        ? `has no output \`platform\` (a plan needs its Pulumi.${shared}.yaml)`
        : `has an output \`platform\` that this version cannot read (${z.prettifyError(error).replaceAll(/\s+/g, " ")})`;
    throw new pulumi.RunError(`The shared stack ${name} ${problem}; deploy it first with: pulumi up -s ${shared}`, {
      cause: error,
    });
  }
  const workloads = reference.requireOutput("workloads").apply((container: string) => container);
  return { platform: data, workloads };
}
