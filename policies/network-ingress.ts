import { type Opening, validateOpenings } from "./opening.ts";
import { isPrivate, isWide, readRange } from "./range.ts";
import type { ResourceRule } from "./rule.ts";

const fsbp = (control: string) => ({
  name: `FSBP EC2.${control}`,
  url: `https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-${control}`,
});

export const disallowOpenIngress: ResourceRule = {
  name: "network-disallow-open-ingress",
  description: "Machines and load balancers must not be reachable from everywhere.",
  severity: "high",
  remediationSteps:
    "Name the ranges that may call, each no wider than /8 (IPv6: /7): for the API in cais:platform.api.allowFrom.",
  references: [fsbp("18")],
  enforcementLevel: "mandatory",
  validateResource: validateOpenings(({ subject, from, group }) => {
    // Without a range or a group Neutron and Octavia let everyone in.
    if (from === undefined)
      return group ? undefined : `${subject} must say whom it lets in, and names neither a range nor a group.`;
    const range = readRange(from);
    if (!range) return `${subject} must let in a range such as 10.0.0.0/8 or one full address, and has ${from}.`;
    return isWide(range) ? `${subject} must not let in everyone, and its range is ${from}.` : undefined;
  }),
};

/** Ports of what administers a machine or keeps data: FSBP EC2.19's list, and those of Docker, Kubernetes and data services. */
const sensitive: Readonly<Record<number, string>> = {
  20: "FTP",
  21: "FTP",
  22: "SSH",
  23: "Telnet",
  25: "SMTP",
  110: "POP3",
  111: "RPC",
  135: "RPC",
  137: "NetBIOS",
  138: "NetBIOS",
  139: "NetBIOS",
  143: "IMAP",
  389: "LDAP",
  445: "SMB",
  512: "rexec",
  513: "rlogin",
  514: "rsh",
  873: "rsync",
  1433: "SQL Server",
  1434: "SQL Server",
  1521: "Oracle",
  2049: "NFS",
  2181: "ZooKeeper",
  2375: "Docker",
  2376: "Docker",
  2379: "etcd",
  2380: "etcd",
  3306: "MySQL",
  3389: "RDP",
  5432: "PostgreSQL",
  5601: "OpenSearch Dashboards",
  5672: "RabbitMQ",
  5900: "VNC",
  5984: "CouchDB",
  5985: "WinRM",
  5986: "WinRM",
  6379: "Redis",
  6443: "the Kubernetes API",
  7077: "Spark",
  8020: "HDFS",
  9042: "Cassandra",
  9092: "Kafka",
  9200: "Elasticsearch",
  9300: "Elasticsearch",
  10250: "the kubelet",
  10255: "the kubelet",
  11211: "memcached",
  15672: "RabbitMQ",
  27017: "MongoDB",
};

/** Protocols that have ports. Those of `undefined`, every protocol, do, too. */
const hasPorts = (protocol: string | undefined) =>
  protocol === undefined || ["tcp", "udp", "sctp", "dccp", "udplite"].includes(protocol);

const isAll = (ports: Opening["ports"]) => ports === undefined || (ports.min <= 1 && ports.max >= 65_535);

export const disallowSensitivePorts: ResourceRule = {
  name: "network-disallow-sensitive-ports",
  description: "Ports of administration and of databases must be open to private ranges and security groups only.",
  severity: "high",
  remediationSteps:
    "Let in the private range that the callers come from, or their security group; reach machines by a VPN.",
  references: [
    fsbp("19"),
    fsbp("53"),
    { name: "Checkov CKV_OPENSTACK_2, _3", url: "https://www.checkov.io/5.Policy%20Index/terraform.html" },
  ],
  enforcementLevel: "mandatory",
  validateResource: validateOpenings(({ subject, protocol, ports, from }) => {
    const range = from === undefined ? undefined : readRange(from);
    if (!range || isPrivate(range) || !hasPorts(protocol)) return undefined;
    // Who opens all of them is told by network-require-ingress-ports.
    if (ports === undefined || isAll(ports)) return undefined;
    const found = Object.entries(sensitive).filter(([port]) => Number(port) >= ports.min && Number(port) <= ports.max);
    const [first] = found;
    if (!first) return undefined;
    const [port, service] = first;
    const more = found.length > 1 ? ` and ${found.length - 1} more such ports` : "";
    return `${subject} must not let ${from} reach ${service} (${port})${more}.`;
  }),
};

export const requireIngressPorts: ResourceRule = {
  name: "network-require-ingress-ports",
  description: "Who lets a range in must say through which ports of which protocol.",
  severity: "high",
  remediationSteps: "Name the protocol and its ports; machines of one security group may trust one another in all.",
  references: [fsbp("18")],
  enforcementLevel: "mandatory",
  validateResource: validateOpenings(({ subject, protocol, ports, from, group }) => {
    if ((from === undefined && group) || !hasPorts(protocol)) return undefined;
    if (protocol === undefined) return `${subject} must name its protocol, and lets in every one.`;
    return isAll(ports) ? `${subject} must name its ports, and opens all of ${protocol}.` : undefined;
  }),
};
