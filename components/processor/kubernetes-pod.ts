import type * as pulumi from "@pulumi/pulumi";
import type { core } from "@pulumi/kubernetes/types/input.js";
import { mountedAuthorities, mountedSecrets } from "../secret/mount.ts";
import { graceSeconds, uid, type Workload } from "./runner.ts";

/** What a pod refers to, by name. */
export interface PodParts {
  serviceAccount: pulumi.Input<string>;
  config: pulumi.Input<string>;
  secrets: pulumi.Input<string>;
  state: pulumi.Input<string>;
  /** The login of its image's registry. */
  login?: pulumi.Input<string> | undefined;
}

const folders = { config: "/etc/cais", state: "/data", tmp: "/tmp" } as const;

/** The pod of a workload, as closed as `unit.ts` keeps a container on a machine, and by Kubernetes' restricted standard. */
export function podSpec(workload: Workload, parts: PodParts): core.v1.PodSpec {
  const { image, memoryBytes, cpus, port, authorities } = workload;
  return {
    serviceAccountName: parts.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: graceSeconds,
    ...(parts.login === undefined ? {} : { imagePullSecrets: [{ name: parts.login }] }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: uid,
      fsGroup: uid,
      // The disk of state may hold many files, and all are its own but at the first start.
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "processor",
        image,
        env: [
          { name: "CAIS_CONFIG", value: `${folders.config}/config.json` },
          { name: "CAIS_DATA", value: folders.state },
          ...(authorities ? [{ name: "NODE_EXTRA_CA_CERTS", value: mountedAuthorities }] : []),
        ],
        ports: [{ name: "api", containerPort: port }],
        securityContext: {
          allowPrivilegeEscalation: false,
          privileged: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        resources: {
          limits: { memory: String(memoryBytes), cpu: milli(cpus) },
          // Memory that is not there ends a run; processors are shared, and a node's own programs need some.
          requests: { memory: String(memoryBytes), cpu: milli(cpus / 4) },
        },
        // It opens its ledger before it answers, which may take a while after a kill.
        startupProbe: { ...probe("/healthz"), periodSeconds: 5, failureThreshold: 60 },
        livenessProbe: { ...probe("/healthz"), periodSeconds: 30, failureThreshold: 3 },
        readinessProbe: { ...probe("/readyz"), periodSeconds: 15, failureThreshold: 2 },
        volumeMounts: [
          { name: "config", mountPath: folders.config, readOnly: true },
          { name: "secrets", mountPath: mountedSecrets, readOnly: true },
          { name: "state", mountPath: folders.state },
          { name: "tmp", mountPath: folders.tmp },
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name: parts.config, defaultMode: 0o440 } },
      { name: "secrets", secret: { secretName: parts.secrets, defaultMode: 0o440 } },
      { name: "state", persistentVolumeClaim: { claimName: parts.state } },
      // Of the container's memory, as on a machine.
      { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } },
    ],
  };
}

const probe = (path: string) => ({ httpGet: { path, port: "api" }, timeoutSeconds: 5 });

const milli = (cpus: number) => `${Math.max(1, Math.round(cpus * 1000))}m`;
