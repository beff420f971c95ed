/** Where a container finds its secrets: one file each, readable by its user only, in memory. */
export const mountedSecrets = "/run/cais/secrets";

/** The file with which the processor opens its stores: an application credential as JSON, `id` and `secret`. */
export const storeCredential = "store-credential.json";

/** Where a container finds the certificates of private authorities, if there are any. */
export const mountedAuthorities = "/etc/cais/ca.pem";
