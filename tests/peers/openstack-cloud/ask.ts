import type { OpenStack } from "../openstack/lab.ts";

/** Somebody of the lab who may ask each service that the catalog names. */
export interface Asker {
  /** Asks a service, such as `compute`, at a path below its address. Throws when it refuses. */
  ask<Answer = unknown>(
    service: string,
    method: string,
    path: string,
    body?: object | string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  /** The status with which a service answers a GET. */
  status(service: string, path: string): Promise<number>;
}

interface Token {
  token: { catalog: { type: string; endpoints: { interface: string; url: string }[] }[] };
}

/** Logs a user of the lab in. */
export async function asker(cloud: OpenStack, who: "admin" | "demo"): Promise<Asker> {
  const { user: name, password, project } = cloud[who];
  const domain = { id: "default" };
  const auth = {
    identity: { methods: ["password"], password: { user: { name, domain, password } } },
    scope: { project: { name: project, domain } },
  };
  const answer = await fetch(`${cloud.keystone}/auth/tokens`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Connection: "close" },
    body: JSON.stringify({ auth }),
  });
  if (!answer.ok) throw new Error(`Keystone refused ${name}: ${answer.status} ${await answer.text()}`);
  const token = answer.headers.get("X-Subject-Token") ?? "";
  const { catalog } = ((await answer.json()) as Token).token;
  const urlOf = (service: string) => {
    const found = catalog
      .find(({ type }) => type === service)
      ?.endpoints.find(({ interface: kind }) => kind === "public");
    if (!found) throw new Error(`The catalog has no ${service}.`);
    return found.url;
  };
  // Where a service's address ends with its version, a path may begin with another (Magnum's, Neutron's).
  const call = (
    service: string,
    method: string,
    path: string,
    body?: object | string,
    more: Readonly<Record<string, string>> = {},
  ) =>
    fetch(urlOf(service) + path, {
      method,
      headers: {
        "X-Auth-Token": token,
        Connection: "close",
        ...(body !== undefined && {
          "Content-Type": typeof body === "string" ? "application/octet-stream" : "application/json",
        }),
        ...more,
      },
      body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
    });
  return {
    async ask<Answer>(
      service: string,
      method: string,
      path: string,
      body?: object | string,
      headers?: Readonly<Record<string, string>>,
    ) {
      const made = await call(service, method, path, body, headers);
      const text = await made.text();
      if (!made.ok) throw new Error(`${service} refused ${method} ${path}: ${made.status} ${text}`);
      return (text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text) as Answer;
    },
    async status(service, path) {
      const { status, body } = await call(service, "GET", path);
      await body?.cancel();
      return status;
    },
  };
}
