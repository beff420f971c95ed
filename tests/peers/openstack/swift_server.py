"""Swift's servers from package python3-swift, with a swift.conf of one's own: Swift reads it at the fixed /etc/swift.

swift_server.py SWIFT_CONF rings HOST TYPE=PORT...      writes a ring for each type of server beside SWIFT_CONF
swift_server.py SWIFT_CONF proxy|account|container|object|updater SERVER_CONF
"""

import os
import sys

from swift.common import utils

utils.SWIFT_CONF_FILE = sys.argv[1]
utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b""
utils.validate_hash_conf()

# Both have read the file at its fixed place while they were imported.
from swift.common import constraints, storage_policy  # noqa: E402

constraints.reload_constraints()
storage_policy.reload_storage_policies()


def write_rings(folder, host, ports):
    from swift.common.ring import RingBuilder

    for kind, port in ports:
        # 16 partitions, one copy of everything.
        builder = RingBuilder(4, 1, 1)
        device = {"id": 0, "region": 1, "zone": 1, "device": "disk", "weight": 1, "meta": ""}
        address = {"ip": host, "port": port, "replication_ip": host, "replication_port": port}
        builder.add_dev({**device, **address})
        builder.rebalance()
        builder.get_ring().save(os.path.join(folder, f"{kind}.ring.gz"))


def serve(kind, conf):
    from swift.common.wsgi import run_wsgi

    options = {"verbose": True}
    if kind == "object":
        from swift.obj import server

        options["global_conf_callback"] = server.global_conf_callback
    sys.exit(run_wsgi(conf, f"{kind}-server", **options))


def update(conf):
    from swift.common.daemon import run_daemon
    from swift.obj.updater import ObjectUpdater

    run_daemon(ObjectUpdater, conf, verbose=True)


kind, *arguments = sys.argv[2:]
if kind == "rings":
    ports = [(name, int(port)) for name, port in (argument.split("=") for argument in arguments[1:])]
    write_rings(os.path.dirname(sys.argv[1]), arguments[0], ports)
elif kind == "updater":
    update(arguments[0])
else:
    serve(kind, arguments[0])
