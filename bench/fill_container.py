"""fill_container.py FOLDER CONTAINER COUNT: writes names into a container's database, as object servers would have it done.

A listing reads nothing else, and a hundred thousand PUTs would take the better part of an hour.
"""

import glob
import os
import sqlite3
import sys
import time

from swift.common.utils import Timestamp
from swift.container.backend import ContainerBroker

folder, container, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


def is_it(path):
    with sqlite3.connect(path) as database:
        return database.execute("SELECT container FROM container_info").fetchone()[0] == container


(path,) = [path for path in glob.glob(os.path.join(folder, "**", "*.db"), recursive=True) if is_it(path)]
broker = ContainerBroker(path)
today = time.time() // 86400
days = -(-count // 1000)
for day in range(days):
    date = time.strftime("%Y-%m-%d", time.gmtime((today - day) * 86400))
    broker.merge_items(
        [
            {
                "name": f"{date}/file-{n:06d}-of-a-sensor.csv",
                "created_at": Timestamp((today - day) * 86400 + n).internal,
                "size": 10000,
                "content_type": "text/csv",
                "etag": "d41d8cd98f00b204e9800998ecf8427e",
                "deleted": 0,
                "storage_policy_index": 0,
            }
            for n in range(1000)
        ]
    )
