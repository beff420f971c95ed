import { StatefulSet } from "@pulumi/kubernetes/apps/v1/statefulSet.js";
import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { Namespace } from "@pulumi/kubernetes/core/v1/namespace.js";
import { PersistentVolumeClaim } from "@pulumi/kubernetes/core/v1/persistentVolumeClaim.js";
import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import { Service } from "@pulumi/kubernetes/core/v1/service.js";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1/serviceAccount.js";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1/networkPolicy.js";
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1/podDisruptionBudget.js";
import { Provider } from "@pulumi/kubernetes/provider.js";
import { StorageClass } from "@pulumi/kubernetes/storage/v1/storageClass.js";
import * as pulumi from "@pulumi/pulumi";
import type { KubernetesHost } from "../cluster/host.ts";
import { deletable } from "../protection.ts";
import { mountedAuthorities } from "../secret/mount.ts";
import { tagMap } from "../tags.ts";
import { registryOf } from "./image.ts";
import { policySpec } from "./kubernetes-network.ts";
import { podSpec } from "./kubernetes-pod.ts";
import type { Runner, Workload } from "./runner.ts";

/** A ConfigMap, and a Secret, hold at most this: https://kubernetes.io/docs/concepts/configuration/configmap/ */
const mapLimit = 2 ** 20;

/** What puts workloads on a Kubernetes: each in a namespace of its own, as one pod with its own disk. */
export function runnerOn(host: KubernetesHost): Runner {
  return { kind: host.kind, run: (workload, opts) => run(host, workload, opts) };
}

function run(
  host: KubernetesHost,
  workload: Workload,
  given: pulumi.CustomResourceOptions,
): Record<string, pulumi.Resource> {
  const { name, tags, port, allowFrom, config, secrets, login, authorities } = workload;
  const other = allowFrom.find((range) => range.includes(":"));
  if (other !== undefined)
    throw new pulumi.RunError(
      `${name}: allowFrom has ${other}, and the balancer's address is of IPv4; leave out ranges of IPv6.`,
    );
  const labels = { "app.kubernetes.io/name": "cais", "app.kubernetes.io/instance": name };
  // A label takes fewer letters than a tag may have.
  const annotations = tagMap(tags);
  const matchLabels = { "app.kubernetes.io/instance": name };
  const provider = new Provider(`${name}-cluster`, { kubeconfig: pulumi.secret(host.kubeconfig) }, given);
  const opts = { ...given, provider };

  const namespace = new Namespace(
    name,
    {
      metadata: {
        // The API server itself refuses a pod here that is less closed.
        labels: { ...labels, "pod-security.kubernetes.io/enforce": "restricted" },
        annotations,
      },
    },
    opts,
  );
  const metadata = { namespace: namespace.id, labels, annotations };

  const policy = new NetworkPolicy(`${name}-calls`, { metadata, spec: policySpec(workload, host, matchLabels) }, opts);
  const account = new ServiceAccount(`${name}-user`, { metadata, automountServiceAccountToken: false }, opts);
  const files = pulumi.jsonStringify(config).apply((text) => filesOf(name, text, authorities));
  // What cannot be changed is replaced, under another name: so the pod is, too.
  const map = new ConfigMap(`${name}-config`, { metadata, immutable: true, data: files }, opts);
  const kept = new Secret(
    `${name}-secrets`,
    {
      metadata,
      immutable: true,
      stringData: pulumi.secret(Object.fromEntries(secrets.map(({ file, value }) => [file, value]))),
    },
    opts,
  );
  const pulled =
    login && new Secret(`${name}-registry`, { metadata, immutable: true, ...dockerConfig(workload) }, opts);

  const storage = new StorageClass(
    `${name}-state`,
    {
      metadata: { labels, annotations },
      provisioner: host.state.provisioner,
      parameters: host.state.parameters,
      // A claim that goes, with its namespace or the cluster, leaves its disk behind.
      reclaimPolicy: "Retain",
      allowVolumeExpansion: true,
      volumeBindingMode: "WaitForFirstConsumer",
    },
    opts,
  );
  const isDeletable = deletable(storage, name, host.state.allowDataDeletion);
  const state = new PersistentVolumeClaim(
    `${name}-state`,
    {
      metadata,
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: storage.id,
        resources: { requests: { storage: `${host.state.gb}Gi` } },
      },
    },
    { ...opts, protect: !isDeletable },
  );
  const pods = new StatefulSet(
    name,
    {
      metadata,
      spec: {
        // Two must never write one lake.
        replicas: 1,
        // Else an update would wait for a pod that never gets ready: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
        podManagementPolicy: "Parallel",
        selector: { matchLabels },
        // No other program looks for the pod by its own name.
        serviceName: "",
        template: {
          metadata: { labels, annotations },
          spec: podSpec(workload, {
            serviceAccount: nameOf(account),
            config: nameOf(map),
            secrets: nameOf(kept),
            state: nameOf(state),
            login: pulled && nameOf(pulled),
          }),
        },
      },
    },
    // Else a version that asks for what cannot be changed in place would start the new one beside the old.
    { ...opts, dependsOn: policy, deleteBeforeReplace: true },
  );
  const isOpen = allowFrom.length > 0;
  const service = new Service(
    `${name}-api`,
    {
      metadata: isOpen ? { ...metadata, annotations: { ...annotations, ...host.privateBalancer } } : metadata,
      spec: {
        type: isOpen ? "LoadBalancer" : "ClusterIP",
        selector: matchLabels,
        ports: [{ name: "api", port, targetPort: "api" }],
        ...(isOpen ? { loadBalancerSourceRanges: [...allowFrom] } : {}),
      },
    },
    opts,
  );
  // One pod that could not be moved would hold up every upgrade of a node.
  const budget = new PodDisruptionBudget(
    `${name}-moves`,
    {
      metadata,
      spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector: { matchLabels } },
    },
    opts,
  );
  const nodes = { provider, namespace, policy, account, map, kept, storage, state, pods, service, budget };
  return pulled ? { ...nodes, pulled } : nodes;
}

/** The files that a workload finds in the open. Throws a `RunError` when no ConfigMap holds them. */
export function filesOf(name: string, config: string, authorities?: readonly string[]): Record<string, string> {
  const files = {
    "config.json": config,
    ...(authorities ? { [fileName(mountedAuthorities)]: authorities.join("") } : {}),
  };
  const bytes = Object.values(files).reduce((sum, file) => sum + Buffer.byteLength(file), 0);
  if (bytes > mapLimit)
    throw new pulumi.RunError(
      `${name}: its config has ${bytes} bytes, and a ConfigMap holds ${mapLimit}; give some of its stacks a processor of their own (\`isolated: true\`).`,
    );
  return files;
}

/** The name that a resource got: the last part of its id, `<namespace>/<name>`. Its metadata is only what was asked for. */
const nameOf = ({ id }: pulumi.CustomResource) => id.apply((id) => id.slice(id.lastIndexOf("/") + 1));

/**
 * https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/
 *
 * Without `auth`, which a kubelet does not need: a password in base64 is one that no policy would know for a secret of the config.
 */
function dockerConfig({ image, login }: Workload) {
  const config = login?.password.value.apply((password) => {
    const { username } = login;
    return JSON.stringify({ auths: { [registryOf(image)]: { username, password } } });
  });
  return {
    type: "kubernetes.io/dockerconfigjson",
    stringData: config ? pulumi.secret({ ".dockerconfigjson": config }) : {},
  };
}

const fileName = (path: string) => path.slice(path.lastIndexOf("/") + 1);
