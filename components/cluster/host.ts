import type * as pulumi from "@pulumi/pulumi";

/** How a workload is handed to a machine with Docker. */
export interface MachineHost {
  readonly kind: "vm";
  /** The container whose objects the machine runs (see `vm/sync.py`). */
  readonly workloads: pulumi.Output<string>;
}

/** How a workload is handed to a Kubernetes. */
export interface KubernetesHost {
  readonly kind: "kubernetes";
  /** Its administrator's: a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** Range of the nodes: what comes by a balancer is seen to come from there. */
  readonly nodeRange: string;
  /** Annotations with which a Service of type LoadBalancer gets a private address. */
  readonly privateBalancer: Readonly<Record<string, string>>;
  /** The disk of each workload's state. */
  readonly state: {
    readonly gb: number;
    /** The driver of its StorageClass, and what that is told. */
    readonly provisioner: string;
    readonly parameters: Readonly<Record<string, string>>;
    /** First of the two switches for deleting it; `cais:allowDataDeletion` is the second. */
    readonly allowDataDeletion: boolean;
  };
}

/** How a workload is handed to a cluster, of either kind. */
export type Host = MachineHost | KubernetesHost;
