"""Certificates for tests, made by the `openssl` command: an authority and what it signs."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

EC: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    def data(self) -> dict[str, bytes]:
        """Both as a Secret of type kubernetes.io/tls has them."""
        return {"tls.crt": self.certificate.read_bytes(), "tls.key": self.key.read_bytes()}


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, name
        self.own = self._pair("ca")
        _openssl(
            *("req", "-x509", *EC, "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", self.own.key, "-out", self.own.certificate),
        )

    @property
    def pem(self) -> bytes:
        """What those who trust it need."""
        return self.own.certificate.read_bytes()

    def issue(self, name: str, also: str = "IP:127.0.0.1") -> Pair:
        """Make a certificate for a name."""
        pair, request = self._pair(name), self._folder / f"{name}.csr"
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={also}\nbasicConstraints=critical,CA:FALSE\n")
        subject = ("-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        _openssl("req", "-new", *EC, *subject)
        _openssl(
            *("x509", "-req", "-in", request, "-days", "2", "-extfile", extensions),
            *("-CA", self.own.certificate, "-CAkey", self.own.key, "-out", pair.certificate),
        )
        return pair

    def _pair(self, name: str) -> Pair:
        return Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
