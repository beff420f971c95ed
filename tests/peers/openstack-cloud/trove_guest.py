"""
Answers Trove in place of the agent that runs in a database's machine: here no machine boots. What it was told of is written
down for the tests.
"""

import json
import pathlib

from trove.instance import service_status
from trove.instance.models import InstanceServiceStatus


def agent_of(context, id, manager=None):
    return Agent(id)


class Agent:
    def __init__(self, id):
        self.id = id

    def prepare(self, memory_mb, packages, databases, users, *args, **kwargs):
        told = {
            "databases": [database["_name"] for database in databases],
            "users": {user["_name"]: [database["_name"] for database in user["_databases"]] for user in users},
        }
        pathlib.Path.home().joinpath(f"{self.id}.json").write_text(json.dumps(told))
        status = InstanceServiceStatus.find_by(instance_id=self.id)
        status.set_status(service_status.ServiceStatuses.HEALTHY)
        status.save()

    def stop_db(self, *args, **kwargs):
        pass

    def get_volume_info(self):
        return {"used": 0.1, "total": 1.0}
