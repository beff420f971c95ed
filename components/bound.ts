import type * as pulumi from "@pulumi/pulumi";

/**
 * A value whose texts and numbers may only be known after the deployment. Keeping the outputs at the leaves lets a plan
 * show all the rest, and a fixed word such as a binding's driver stays plain, so that it can be switched on.
 */
export type Bound<T> = T extends readonly (infer Item)[]
  ? readonly Bound<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Bound<T[Key]> }
    : string extends T
      ? T | pulumi.Output<T>
      : number extends T
        ? T | pulumi.Output<T>
        : T;
