import { L7PolicyV2 } from "@pulumi/openstack/loadbalancer/l7policyV2.js";
import { Listener } from "@pulumi/openstack/loadbalancer/listener.js";
import { Monitor } from "@pulumi/openstack/loadbalancer/monitor.js";
import { Pool } from "@pulumi/openstack/loadbalancer/pool.js";
import { PoolV1 } from "@pulumi/openstack/loadbalancer/poolV1.js";
import { Vip } from "@pulumi/openstack/loadbalancer/vip.js";
import { type PolicyResource, validateResourceOfType } from "@pulumi/policy";
import { ifKnown } from "./if-known.ts";
import type { ResourceRule, StackRule } from "./rule.ts";

const elb = (control: number) => ({
  name: `FSBP ELB.${control}`,
  url: `https://docs.aws.amazon.com/securityhub/latest/userguide/elb-controls.html#elb-${control}`,
});

/** Whether a resource was made of another one's result, by one of its inputs. */
const refersTo = (resource: PolicyResource, input: string, urn: string) =>
  (resource.propertyDependencies[input] ?? []).some((other) => other.urn === urn);

/** Whether a policy sends every caller of its listener on to an address with TLS. */
const redirects = (resource: PolicyResource): boolean => {
  const policy = resource.asType(L7PolicyV2);
  return Boolean(policy && ifKnown(() => policy.redirectUrl?.startsWith("https:")));
};

export const requireTls: StackRule = {
  name: "load-balancer-require-tls",
  description: "Listeners must speak TLS; one that speaks HTTP may only send callers on to HTTPS.",
  severity: "high",
  remediationSteps:
    "Use TERMINATED_HTTPS with a certificate, HTTPS or TCP; or redirect by an L7 policy whose redirectUrl begins with https:.",
  references: [elb(1), elb(3), elb(18)],
  enforcementLevel: "mandatory",
  validateStack({ resources }, report) {
    const redirected = resources.filter(redirects);
    for (const resource of resources) {
      const listener = resource.asType(Listener) ?? resource.asType(Vip);
      if (!listener || ifKnown(() => listener.protocol) !== "HTTP") continue;
      if (!redirected.some((policy) => refersTo(policy, "listenerId", resource.urn)))
        report(`${resource.name} must speak TLS, and speaks HTTP.`, resource.urn);
    }
  },
};

export const requireCertificate: ResourceRule = {
  name: "load-balancer-require-certificate",
  description: "A listener that ends TLS must hold a certificate of its own.",
  severity: "high",
  remediationSteps: "Keep the certificate in Barbican and set defaultTlsContainerRef.",
  references: [elb(2)],
  enforcementLevel: "mandatory",
  validateResource: [
    validateResourceOfType(Listener, (listener, { name }, report) => {
      if (ifKnown(() => listener.protocol) !== "TERMINATED_HTTPS") return;
      // Which certificate it is may be unknown yet.
      if (!("defaultTlsContainerRef" in listener) || ifKnown(() => listener.defaultTlsContainerRef) === "")
        report(`${name} must hold a certificate, and sets no defaultTlsContainerRef.`);
    }),
  ],
};

export const requireHealthCheck: StackRule = {
  name: "load-balancer-require-health-check",
  description: "A pool must be watched, so that nobody is sent to a member that does not answer.",
  severity: "low",
  remediationSteps: "Add a Monitor for the pool; for a processor, GET /readyz.",
  references: [
    { name: "Octavia, health monitors", url: "https://docs.openstack.org/api-ref/load-balancer/v2/#health-monitor" },
  ],
  enforcementLevel: "advisory",
  validateStack({ resources }, report) {
    const monitors = resources.filter((resource) => resource.isType(Monitor));
    for (const pool of resources) {
      if (pool.isType(Pool) && !monitors.some((monitor) => refersTo(monitor, "poolId", pool.urn)))
        report(`${pool.name} must be watched, and no monitor is.`, pool.urn);
      const old = pool.asType(PoolV1);
      const watched =
        (pool.propertyDependencies["monitorIds"] ?? []).length > 0 || (ifKnown(() => old?.monitorIds) ?? []).length > 0;
      if (old && !watched) report(`${pool.name} must be watched, and no monitor is.`, pool.urn);
    }
  },
};

export const rules = [requireTls, requireCertificate, requireHealthCheck];
