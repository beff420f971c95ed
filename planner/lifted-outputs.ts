import type * as pulumi from "@pulumi/pulumi";

// Runs in the program's process. To the SDK nothing is known of a referenced stack's outputs as soon as one of them is
// not known, for a deployed stack has none such. A planned one has, and what is known of the others is worth showing.

/** The parts of the SDK that this touches; the second argument of `apply` is its own, for lifted properties. */
interface Outputs {
  apply<Result>(
    work: (outputs: Readonly<Record<string, unknown>>) => Result,
    runWithUnknowns: true,
  ): pulumi.Output<Result>;
}
interface Reference {
  name: pulumi.Output<string>;
  outputs: Outputs;
  getOutput(name: pulumi.Input<string>): pulumi.Output<unknown>;
  requireOutput(name: pulumi.Input<string>): pulumi.Output<unknown>;
}
export interface ReferenceSdk {
  StackReference: { prototype: Reference };
}
export interface OutputSdk {
  output<Value>(value: Value): pulumi.Output<pulumi.Unwrap<Value>>;
  all: typeof pulumi.all;
  secret(value: unknown): pulumi.Output<unknown>;
  unsecret<Value>(value: pulumi.Output<Value>): pulumi.Output<Value>;
  isSecret(value: pulumi.Output<unknown>): Promise<boolean>;
  isUnknown(value: unknown): boolean;
}

/** Makes each output of a StackReference known or unknown by itself. */
export function liftOutputs({ StackReference: { prototype } }: ReferenceSdk, sdk: OutputSdk): void {
  const original = prototype.getOutput;
  const lifted = (reference: Reference, name: pulumi.Input<string>, missing?: Error): pulumi.Output<unknown> => {
    const value = sdk.all([name, reference.name]).apply(([key, stack]) =>
      reference.outputs.apply((outputs) => {
        if (sdk.isUnknown(outputs)) return outputs;
        if (Object.hasOwn(outputs, key)) return outputs[key];
        if (!missing) return undefined;
        const given = Object.keys(outputs).join(", ");
        const message = `the stack ${stack} gives no output ${key}; it gives ${given || "none"}`;
        // The trace begins with the message as it was when the error was made.
        throw Object.assign(missing, { message, stack: missing.stack?.replace(/^Error:? */, `Error: ${message}`) });
      }, true),
    );
    const marked = sdk
      .isSecret(original.call(reference, name))
      .then((closed) => (closed ? sdk.secret(value) : sdk.unsecret(value)));
    return sdk.output(marked);
  };
  prototype.getOutput = function (name) {
    return lifted(this, name);
  };
  prototype.requireOutput = function (name) {
    // Made here, where its trace still leads to the line that asks.
    return lifted(this, name, new Error());
  };
}
