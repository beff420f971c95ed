import { mountedAuthorities } from "../secret/mount.ts";
import { graceSeconds } from "./runner.ts";

/** What tells one container's unit from another. */
export interface Container {
  name: string;
  /** Image with its digest. */
  image: string;
  uid: number;
  memoryBytes: number;
  cpus: number;
  /** The port that the machine passes on to the container, if it may be reached. */
  publish?: number;
  /** Whether the machine keeps certificates of private authorities for it. Default: false. */
  hasAuthorities?: boolean;
  /** Whether the machine keeps a login of the image's registry. Default: false. */
  hasLogin?: boolean;
}

/** Where a machine tells its containers of itself. */
const machineFolder = "/run/cais/machine";

/**
 * A systemd unit that runs one container, hardened. The machine keeps its config, secrets and state where
 * `cluster/vm/sync.py` puts them; no value of a secret is in the unit, the environment or the command line.
 */
export function unit({ name, image, uid, memoryBytes, cpus, publish, hasAuthorities, hasLogin }: Container): string {
  const options = [
    `--name cais-${name}`,
    "--rm",
    "--pull never",
    `--user ${uid}:${uid}`,
    "--read-only",
    "--cap-drop ALL",
    "--security-opt no-new-privileges",
    "--pids-limit 512",
    `--memory ${memoryBytes}b`,
    `--memory-swap ${memoryBytes}b`,
    `--cpus ${cpus}`,
    "--tmpfs /tmp:rw,noexec,nosuid,nodev,size=64m",
    `--mount type=bind,src=/var/lib/cais/${name},dst=/data`,
    `--mount type=bind,src=/etc/cais/workloads/${name}/config.json,dst=/etc/cais/config.json,readonly`,
    `--mount type=bind,src=/run/cais/secrets/${name},dst=/run/cais/secrets,readonly`,
    // A volume, which Docker makes where it is not there yet: a machine may start this before its first sync has ended.
    `--volume ${machineFolder}:${machineFolder}:ro`,
    ...(hasAuthorities
      ? [
          `--mount type=bind,src=/etc/cais/workloads/${name}/ca.pem,dst=${mountedAuthorities},readonly`,
          `--env NODE_EXTRA_CA_CERTS=${mountedAuthorities}`,
        ]
      : []),
    "--env CAIS_CONFIG=/etc/cais/config.json",
    "--env CAIS_DATA=/data",
    `--env CAIS_SYNC=${machineFolder}/sync.json`,
    ...(publish === undefined ? [] : [`--publish ${publish}:${publish}`]),
  ];
  return `[Unit]
Description=Cais ${name}
Requires=docker.service cais-metadata-block.service cais-state-volume.service
After=docker.service cais-metadata-block.service cais-state-volume.service
StartLimitIntervalSec=0

[Service]
Type=exec
${hasLogin ? `Environment=DOCKER_CONFIG=/run/cais/registry/${name}\n` : ""}ExecStartPre=-/usr/bin/docker rm --force cais-${name}
# A registry that is down must not keep an image from starting that is there already.
ExecStartPre=-/usr/bin/docker pull --quiet ${image}
ExecStart=/usr/bin/docker run ${options.join(" \\\n  ")} \\
  ${image}
ExecStop=/usr/bin/docker stop -t ${graceSeconds} cais-${name}
# Nobody logs in: the processor's log is read in the console's, which the cloud keeps.
StandardOutput=journal+console
TimeoutStartSec=900
TimeoutStopSec=${graceSeconds + 15}
Restart=always
RestartSec=5
# These bind the docker command only; the container is bound by its options.
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
SystemCallArchitectures=native
`;
}
