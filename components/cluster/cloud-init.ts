import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { parse, stringify } from "yaml";
import { z } from "zod";

/** What one machine is told at its first boot, and all that tells it from another. */
export interface MachineIdentity {
  /** Keystone's v3 endpoint. */
  authUrl: string;
  region?: string;
  /** Certificates (PEM) that the machine trusts besides the public ones. */
  ca?: readonly string[];
  /** Swift container with its workloads. */
  container: pulumi.Input<string>;
  /** Application credential. */
  id: pulumi.Input<string>;
  secret: pulumi.Input<string>;
  /** Id of the Cinder volume that keeps its state. */
  stateVolume: pulumi.Input<string>;
}

/** Nova refuses user data above this (base64, after encoding): https://docs.openstack.org/api-ref/compute/#create-server */
export const userDataLimit = 65_535;

/** Bytes of certificates that fit beside everything else. */
const authoritiesLimit = 16_384;

const folder = new URL("vm/", import.meta.url);
const text = (file: string) => readFileSync(new URL(file, folder), "utf8");

const Template = z.looseObject({ write_files: z.array(z.looseObject({ path: z.string() })) });

/** The machine's cloud-init: `vm/cloud-config.yaml`, with the files beside it written into it. */
export function cloudInit({
  authUrl,
  region,
  ca = [],
  container,
  id,
  secret,
  stateVolume,
}: MachineIdentity): pulumi.Output<string> {
  const template = Template.parse(parse(text("cloud-config.yaml")));
  const bytes = ca.join("").length;
  if (bytes > authoritiesLimit)
    throw new pulumi.RunError(
      `openstack:cacertFile holds ${bytes} bytes of certificates, and a machine can be told ${authoritiesLimit}; give it your own authorities' alone.`,
    );
  // Before anything is fetched, for the whole machine: sync.py, Docker's registries and apt.
  const trusted = ca.length === 0 ? {} : { ca_certs: { trusted: ca } };
  return pulumi
    .all([container, id, pulumi.secret(secret), stateVolume])
    .apply(([container, id, secret, stateVolume]) => {
      const contents: Record<string, string> = {
        "/etc/cais/identity.json": `${JSON.stringify({ authUrl, region, container, id, secret }, null, 2)}\n`,
        "/etc/cais/state-volume": `${stateVolume}\n`,
      };
      const write_files = template.write_files.map((file) => ({
        ...file,
        content: contents[file.path] ?? text(file.path.slice(file.path.lastIndexOf("/") + 1)),
      }));
      return `#cloud-config\n${stringify({ ...template, ...trusted, write_files }, { lineWidth: 0 })}`;
    });
}
