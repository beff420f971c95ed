import { Volume } from "@pulumi/openstack/blockstorage/volume.js";
import { VolumeV1 } from "@pulumi/openstack/blockstorage/volumeV1.js";
import { VolumeV2 } from "@pulumi/openstack/blockstorage/volumeV2.js";
import { Instance } from "@pulumi/openstack/compute/instance.js";
import { Cluster } from "@pulumi/openstack/containerinfra/cluster.js";
import { ClusterTemplate } from "@pulumi/openstack/containerinfra/clusterTemplate.js";
import { NodeGroup } from "@pulumi/openstack/containerinfra/nodeGroup.js";
import { type ReportViolation, type ResourceValidation, validateResourceOfType } from "@pulumi/policy";
import { ifKnown, knownItems } from "./if-known.ts";
import { at, later } from "./pod.ts";

/** A volume that a resource asks Cinder for. */
export interface AskedVolume {
  /** The resource, and which of its volumes where it has several. */
  readonly subject: string;
  /** Undefined: the type that Cinder takes when none is named. */
  readonly type: string | undefined;
}

/**
 * Checks every volume that is asked for, whatever kind of resource asks; `check` answers with a sentence or nothing. A
 * copy of a volume or a snapshot has the type of what it is copied from.
 */
export function validateAskedVolumes(check: (volume: AskedVolume) => string | undefined): ResourceValidation[] {
  const tell = (report: ReportViolation, volumes: readonly AskedVolume[] = []) => {
    for (const volume of volumes) {
      const message = check(volume);
      if (message !== undefined) report(message);
    }
  };
  return [
    validateResourceOfType(Volume, (volume, { name }, report) => tell(report, ofVolume(name, volume))),
    validateResourceOfType(VolumeV1, (volume, { name }, report) => tell(report, ofVolume(name, volume))),
    validateResourceOfType(VolumeV2, (volume, { name }, report) => tell(report, ofVolume(name, volume))),
    validateResourceOfType(Instance, (instance, { name }, report) => {
      for (const [index, device] of knownItems(() => instance.blockDevices).entries())
        tell(
          report,
          ifKnown(() =>
            device.destinationType === "volume" && ["image", "blank"].includes(device.sourceType)
              ? [{ subject: `${name}'s disk ${index + 1}`, type: device.volumeType || undefined }]
              : [],
          ),
        );
    }),
    validateResourceOfType(ClusterTemplate, (template, { name }, report) => tell(report, ofNodes(name, template))),
    // Without labels of their own these have those of the template or the cluster.
    validateResourceOfType(Cluster, (cluster, { name }, report) => {
      if (ifKnown(() => cluster.labels && !cluster.mergeLabels)) tell(report, ofNodes(name, cluster));
    }),
    validateResourceOfType(NodeGroup, (group, { name }, report) => {
      if (ifKnown(() => group.labels && !group.mergeLabels)) tell(report, ofNodes(name, group));
    }),
    ({ type, name, props }, report) => {
      if (type === "kubernetes:storage.k8s.io/v1:StorageClass") tell(report, ofClaims(name, props));
    },
  ];
}

interface CinderVolume {
  volumeType?: string;
  snapshotId?: string;
  sourceVolId?: string;
  sourceReplica?: string;
}

function ofVolume(subject: string, volume: CinderVolume): AskedVolume[] | undefined {
  // Which one it is copied from may be unknown yet.
  if ("snapshotId" in volume || "sourceVolId" in volume || "sourceReplica" in volume) return [];
  return ifKnown(() => [{ subject, type: volume.volumeType || undefined }]);
}

/** The volumes of a class of Kubernetes, which Cinder makes where its driver is the class's: in the cluster or, long ago, in Kubernetes. */
function ofClaims(name: string, props: object): AskedVolume[] {
  const driver = at(props, "provisioner");
  const type = at(props, "parameters", "type");
  if ((driver !== "cinder.csi.openstack.org" && driver !== "kubernetes.io/cinder") || type === later) return [];
  return [{ subject: name, type: typeof type === "string" && type ? type : undefined }];
}

interface Nodes {
  dockerVolumeSize?: number;
  labels?: Readonly<Record<string, unknown>>;
}

/** Magnum takes sizes and types of its nodes' volumes as labels, but for one size: https://docs.openstack.org/magnum/latest/user/ */
function ofNodes(name: string, nodes: Nodes): AskedVolume[] {
  return (["boot", "docker", "etcd"] as const).flatMap((role) => {
    const subject = `${name}'s ${role} volume`;
    const volume = ifKnown(() => ({
      size: role === "docker" ? nodes.dockerVolumeSize : nodes.labels?.[`${role}_volume_size`],
      type: nodes.labels?.[`${role}_volume_type`],
    }));
    if (!volume || !(Number(volume.size ?? 0) > 0)) return [];
    return [{ subject, type: typeof volume.type === "string" && volume.type ? volume.type : undefined }];
  });
}
