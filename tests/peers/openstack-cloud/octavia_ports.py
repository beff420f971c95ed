"""Octavia's driver for Neutron, with a machine that is not there: its ports are made for real, and nobody plugs them in."""

from octavia.network import data_models
from octavia.network.drivers.neutron import allowed_address_pairs


class Ports(allowed_address_pairs.AllowedAddressPairsDriver):
    def plug_port(self, amphora, port):
        # Nova writes down whose port it is; Octavia looks for it when it asks which networks a machine is in.
        self.neutron_client.update_port(port.id, {"port": {"device_id": amphora.compute_id}})
        return data_models.Interface(
            compute_id=amphora.compute_id, network_id=port.network_id, port_id=port.id, fixed_ips=port.fixed_ips
        )
