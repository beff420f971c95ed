import * as pulumi from "@pulumi/pulumi";

/** Where the OpenStack cloud is, as the provider's own configuration (`openstack:`) says. */
export interface Keystone {
  /** Keystone's v3 endpoint. */
  readonly authUrl: string;
  readonly region?: string;
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
  return { authUrl, ...(region === undefined ? {} : { region }) };
}
