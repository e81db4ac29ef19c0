"""Certificates of 127.0.0.1 that vouch for themselves."""

import subprocess
from pathlib import Path


def certificate(folder: Path, name: str = "rollout") -> tuple[Path, Path]:
    """Make one, and its key; gives the two files."""
    folder.mkdir(exist_ok=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-nodes", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True, timeout=20)
    return cert, key
