#!/usr/bin/python3
"""Makes this machine run what its workloads container holds. Python's standard library only.

One workload is two objects: `<name>.service`, its systemd unit, installed as cais-<name>.service, and `<name>.json`:

    { "version": 1,
      "unitSha256": of the unit; while the two do not fit, an update is under way and nothing is done,
      "config":     JSON, written to /etc/cais/workloads/<name>/config.json,
      "secrets":    [{ "file": name, "reference": a Barbican secret }], placed in /run/cais/secrets/<name>/,
      "uid":        the user who may read config and secrets and owns /var/lib/cais/<name>,
      "ca":         optional: PEM certificates, written to /etc/cais/workloads/<name>/ca.pem,
      "registry":   optional: { "server", "username", "password" }, the last of Barbican, the login with which Docker fetches
                    its image, placed in /run/cais/registry/<name>/config.json, where only root reads }

When it has ended, /run/cais/machine/sync.json says so to the workloads: { "at": time, "problems": how many there were }.
A unit is restarted when its workload changed and left alone otherwise. A workload whose object is gone is stopped; its
state stays. What was applied is remembered in /run, so after a boot everything is placed and started again.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT_SECONDS = 30
MAX_BYTES = 32 * 2**20
WORKLOAD = re.compile(r"([a-z][a-z0-9-]{0,39})\.json")
FILE = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
SECRET_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever it points."""

    def redirect_request(self, *args, **kwargs):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def call(method, url, headers=None, body=None):
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
            content = response.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise RuntimeError(f"{method} {url} answered more than {MAX_BYTES} bytes")
            return response.headers, content
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{method} {url} answered {error.code}") from error
    except OSError as error:
        raise RuntimeError(f"{method} {url} failed: {error}") from error


class Cloud:
    """What the machine's application credential lets it read."""

    def __init__(self, identity):
        self.container = identity["container"]
        credential = {"id": identity["id"], "secret": identity["secret"]}
        question = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": credential}}}
        headers, answer = call(
            "POST",
            identity["authUrl"].rstrip("/") + "/auth/tokens",
            {"Content-Type": "application/json"},
            json.dumps(question).encode(),
        )
        self.headers = {"X-Auth-Token": headers["X-Subject-Token"]}
        catalog = json.loads(answer)["token"]["catalog"]
        self.store = endpoint(catalog, "object-store", identity.get("region"))
        self.vault = re.sub(r"/v1$", "", endpoint(catalog, "key-manager", identity.get("region")))

    def workloads(self):
        names, marker = [], ""
        while True:
            query = urllib.parse.urlencode({"format": "json", "marker": marker})
            _, content = call("GET", f"{self.store}/{urllib.parse.quote(self.container)}?{query}", self.headers)
            page = json.loads(content)
            if not page:
                return names
            for entry in page:
                match = WORKLOAD.fullmatch(entry["name"])
                if match:
                    names.append(match[1])
            marker = page[-1]["name"]

    def read(self, key):
        _, content = call("GET", f"{self.store}/{urllib.parse.quote(self.container)}/{urllib.parse.quote(key)}", self.headers)
        return content

    def secret(self, reference):
        # Only the id is taken from the reference, so a token never goes to a host that the catalogue does not name.
        secret = reference.rstrip("/").rsplit("/", 1)[-1]
        if not SECRET_ID.fullmatch(secret):
            raise RuntimeError(f"{reference} is no reference to a secret")
        _, content = call("GET", f"{self.vault}/v1/secrets/{secret}/payload", {**self.headers, "Accept": "text/plain"})
        return content


def endpoint(catalog, service, region):
    for entry in catalog:
        if entry["type"] == service:
            for candidate in entry["endpoints"]:
                if candidate["interface"] == "public" and region in (None, candidate["region_id"]):
                    return candidate["url"].rstrip("/")
    raise RuntimeError(f"the catalogue has no public {service} in region {region or 'any'}")


class Machine:
    """This machine, or a folder that stands for it (`root`)."""

    def __init__(self, root):
        self.root = root

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def unit(self, name):
        return self.path("etc/systemd/system", f"cais-{name}.service")

    def applied(self, name):
        try:
            with open(self.path("run/cais/applied", name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def installed(self):
        try:
            return sorted(os.listdir(self.path("etc/cais/workloads")))
        except FileNotFoundError:
            return []

    def folder(self, path, mode, uid=0):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        self.give(path, uid)

    def write(self, path, content, mode, uid=0):
        """Whole or not at all, and never readable by more than it should be."""
        new = f"{path}.new"
        if os.path.lexists(new):
            os.unlink(new)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
        self.give(new, uid)
        os.replace(new, path)

    def write_or_remove(self, path, content, uid=0):
        if content:
            self.write(path, content, 0o400, uid)
        elif os.path.lexists(path):
            os.unlink(path)

    def give(self, path, uid):
        if os.geteuid() == 0:
            os.chown(path, uid, uid)

    def apply(self, name, unit, workload, secrets, password):
        uid = workload["uid"]
        # A container sees the folder as it was mounted, so the folder stays and its files change.
        placed = self.path("run/cais/secrets", name)
        self.folder(self.path("run/cais"), 0o755)
        self.folder(self.path("run/cais/secrets"), 0o755)
        self.folder(placed, 0o700, uid)
        for file in set(os.listdir(placed)) - set(secrets):
            os.unlink(os.path.join(placed, file))
        for file, content in secrets.items():
            self.write(os.path.join(placed, file), content, 0o400, uid)
        self.folder(self.path("etc/cais/workloads", name), 0o755)
        config = json.dumps(workload["config"], ensure_ascii=False).encode()
        self.write(self.path("etc/cais/workloads", name, "config.json"), config, 0o400, uid)
        self.write_or_remove(self.path("etc/cais/workloads", name, "ca.pem"), workload.get("ca", "").encode(), uid)
        self.folder(self.path("run/cais/registry"), 0o700)
        self.folder(self.path("run/cais/registry", name), 0o700)
        self.write_or_remove(self.path("run/cais/registry", name, "config.json"), login(workload.get("registry"), password))
        self.folder(self.path("var/lib/cais", name), 0o700, uid)
        self.write(self.unit(name), unit, 0o644)
        self.systemctl("daemon-reload")
        # Not waited for: pulling an image may take longer than this run may.
        self.systemctl("restart", "--no-block", f"cais-{name}.service")

    def remember(self, name, digest):
        self.folder(self.path("run/cais/applied"), 0o700)
        self.write(self.path("run/cais/applied", name), digest.encode(), 0o600)

    def tell(self, problems):
        """Containers see the folder, and whoever runs in them may read it."""
        said = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "problems": len(problems)}
        self.folder(self.path("run/cais"), 0o755)
        self.folder(self.path("run/cais/machine"), 0o755)
        self.write(self.path("run/cais/machine/sync.json"), json.dumps(said).encode(), 0o444)

    def start(self, name):
        self.systemctl("start", "--no-block", f"cais-{name}.service")

    def remove(self, name):
        self.systemctl("stop", f"cais-{name}.service")
        for file in (self.unit(name), self.path("run/cais/applied", name)):
            if os.path.lexists(file):
                os.unlink(file)
        self.systemctl("daemon-reload")
        kept = ("run/cais/secrets", "run/cais/registry", "etc/cais/workloads")
        for folder in (self.path(parent, name) for parent in kept):
            if os.path.isdir(folder):
                shutil.rmtree(folder)

    def systemctl(self, *arguments):
        subprocess.run(["systemctl", *arguments], check=True)


def login(registry, password):
    """As Docker's config has it: https://docs.docker.com/reference/cli/docker/login/"""
    if registry is None:
        return b""
    encoded = base64.b64encode(registry["username"].encode() + b":" + password).decode()
    return json.dumps({"auths": {registry["server"]: {"auth": encoded}}}).encode()


def checked(content):
    workload = json.loads(content)
    if workload.get("version") != 1:
        raise RuntimeError(f"its version is {workload.get('version')}, and this machine knows 1")
    if not isinstance(workload["uid"], int) or workload["uid"] < 1:
        raise RuntimeError(f"its uid is {workload['uid']}; it must be a number above 0")
    if not isinstance(workload.get("ca", ""), str):
        raise RuntimeError("its ca is no text")
    for secret in workload["secrets"]:
        if not FILE.fullmatch(secret["file"]):
            raise RuntimeError(f"{secret['file']!r} is no name for a secret's file")
    return workload


def sync(cloud, machine):
    """The problems met. One workload's problem does not keep the others from running."""
    problems = []
    wanted = cloud.workloads()
    for name in wanted:
        try:
            content = cloud.read(f"{name}.json")
            digest = hashlib.sha256(content).hexdigest()
            if machine.applied(name) == digest:
                machine.start(name)
                continue
            workload = checked(content)
            unit = cloud.read(f"{name}.service")
            if hashlib.sha256(unit).hexdigest() != workload["unitSha256"]:
                raise RuntimeError("its unit is not the one it names; an update is under way, or one did not end")
            secrets = {secret["file"]: cloud.secret(secret["reference"]) for secret in workload["secrets"]}
            registry = workload.get("registry")
            password = cloud.secret(registry["password"]) if registry else None
            machine.apply(name, unit, workload, secrets, password)
            machine.remember(name, digest)
            print(f"{name}: applied {digest[:12]}")
        except (RuntimeError, OSError, ValueError, KeyError, TypeError, AttributeError, subprocess.CalledProcessError) as error:
            problems.append(f"{name}: not applied: {error!r}")
    for name in machine.installed():
        if name not in wanted:
            try:
                machine.remove(name)
                print(f"{name}: removed")
            except (OSError, subprocess.CalledProcessError) as error:
                problems.append(f"{name}: not removed: {error!r}")
    return problems


def main(root="/"):
    machine = Machine(root)
    with open(machine.path("etc/cais/identity.json"), encoding="utf-8") as file:
        identity = json.load(file)
    try:
        problems = sync(Cloud(identity), machine)
    except (RuntimeError, ValueError, KeyError) as error:
        problems = [f"nothing looked at: {error!r}"]
    for problem in problems:
        print(problem, file=sys.stderr)
    machine.tell(problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
