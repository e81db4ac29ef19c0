"""What the node's server rests its TLS on."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tls:
    """What the server shows, and whose certificates may come in; files in PEM."""

    certificate: Path
    key: Path
    client_ca: Path

    def context(self) -> ssl.SSLContext:
        """Make the context to listen with. Raises OSError for unusable files."""
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.client_ca))
        made.load_cert_chain(self.certificate, self.key)
        made.verify_mode = ssl.CERT_REQUIRED
        return made
