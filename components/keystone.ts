import { X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";

/** Where the OpenStack cloud is, as the provider's own configuration (`openstack:`) says. */
export interface Keystone {
  /** Keystone's v3 endpoint. */
  readonly authUrl: string;
  readonly region?: string;
  /** Certificates (PEM, one each) of the authorities that signed the cloud's, where they are not public ones. */
  readonly ca?: readonly string[];
}

/**
 * The provider can also take its address from clouds.yaml or the environment of whoever runs it; a machine in the cloud
 * cannot, so it has to be in the config.
 */
export function keystone(): Keystone {
  const config = new pulumi.Config("openstack");
  const authUrl = config.get("authUrl");
  const region = config.get("region");
  if (authUrl === undefined || !/^https?:$/.test(URL.parse(authUrl)?.protocol ?? ""))
    throw new pulumi.RunError(
      `openstack:authUrl is ${authUrl === undefined ? "missing" : `"${authUrl}", which is no address`}; set Keystone's v3 address with: pulumi config set openstack:authUrl https://<host>:5000/v3`,
    );
  const ca = config.get("cacertFile");
  return {
    authUrl,
    ...(region === undefined ? {} : { region }),
    ...(ca === undefined ? {} : { ca: certificatesIn(ca) }),
  };
}

/** The provider takes a path, too, but a path of whoever deploys says nothing to a machine in the cloud. */
function certificatesIn(text: string): string[] {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    if (found.length === 0) throw new Error("there is no BEGIN CERTIFICATE");
    return found.map((certificate) => new X509Certificate(certificate).toString());
  } catch (cause) {
    throw new pulumi.RunError(
      `openstack:cacertFile holds no certificates in PEM (${(cause as Error).message}); give them themselves, no path, with: pulumi config set openstack:cacertFile < <file>`,
      { cause },
    );
  }
}
