import * as pulumi from "@pulumi/pulumi";
import { Container } from "@pulumi/openstack/objectstorage/container.js";
import { ContainerObject } from "@pulumi/openstack/objectstorage/containerObject.js";

/** Holds nothing but children. */
export class Group extends pulumi.ComponentResource {
  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super("recorded:group:Group", name, {}, opts);
  }
}

/** A component with inputs, children that inherit from it, and outputs. */
export class Store extends pulumi.ComponentResource {
  readonly location: pulumi.Output<string>;

  constructor(
    name: string,
    args: { owner: pulumi.Input<string>; network: pulumi.Input<string> },
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("recorded:storage:Store", name, args, opts);
    const container = new Container(`${name}-container`, { metadata: { owner: args.owner } }, { parent: this });
    const readme = new ContainerObject(
      `${name}-readme`,
      { containerName: container.name, name: "README", content: "for people", contentDisposition: args.network },
      { parent: container, protect: false, deletedWith: container },
    );
    this.location = pulumi.interpolate`swift:${container.name}/${readme.name}`;
    this.registerOutputs({ location: this.location, owner: args.owner });
  }
}

/** A resource of a second provider, which Pulumi's SDK for Node brings: it takes any inputs. */
export class Note extends pulumi.dynamic.Resource {
  declare readonly text: pulumi.Output<string>;

  constructor(name: string, inputs: pulumi.Inputs, opts?: pulumi.CustomResourceOptions) {
    super({ create: async (given) => ({ id: "a-note", outs: given }) }, name, inputs, opts);
  }
}
