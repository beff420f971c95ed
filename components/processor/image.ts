import * as pulumi from "@pulumi/pulumi";

/** The image of a workload, which must name its digest. Throws a `RunError` that says how to set it. */
export function pinned(name: string, image: string | undefined): string {
  if (image === undefined || !/^[\w.:/-]+@sha256:[0-9a-f]{64}$/.test(image))
    throw new pulumi.RunError(
      `${name}: the image is ${image ?? "missing"}; name one with its digest: pulumi config set cais:image <registry>/<name>@sha256:<64 hex digits>`,
    );
  return image;
}

/**
 * As Docker's config calls the registry of an image:
 * https://pkg.go.dev/github.com/distribution/reference#ParseNormalizedNamed
 */
export function registryOf(image: string): string {
  const [first = "", ...rest] = image.split("/");
  const isHost = rest.length > 0 && /[.:]|^localhost$/.test(first);
  return isHost && !/^(?:index\.)?docker\.io$/.test(first) ? first : "https://index.docker.io/v1/";
}
