"""The real API server, for controllers that each come as somebody else than the installed one."""

import pytest

from tests.controlplane.access import Access
from tests.install.installed import install_rights
from tests.scenarios.stage import Server


@pytest.fixture
def server(control_plane: Access) -> Server:
    """The control plane of this run, with what is installed for the whole cluster."""
    install_rights(control_plane)
    return Server(
        *("real", control_plane.url, control_plane.token(), str(control_plane.ca_file)),
        control_plane.kubeconfig,
        control_plane.program,
    )
