"""Kinds brought to an API server for a test."""

import time
from typing import Any, Final

import httpx

PLACE: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SECONDS: Final = 20.0


def define(client: httpx.Client, *definitions: dict[str, Any]) -> None:
    """Bring kinds that may be there already, and wait until they are served."""
    for body in definitions:
        answer = client.post(PLACE, json=body)
        assert answer.status_code in {201, 409}, answer.text
    for body in definitions:
        _await(client, f"{PLACE}/{body['metadata']['name']}")


def _await(client: httpx.Client, place: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        conditions = client.get(place).json().get("status", {}).get("conditions") or ()
        if any((one["type"], one["status"]) == ("Established", "True") for one in conditions):
            return
        time.sleep(0.05)
    raise AssertionError(f"{place} was not established in {SECONDS:g} s")
