"""The base of every resource model: camelCase outside, frozen inside, unknown fields refused."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def rfc3339(moment: datetime) -> str:
    """Say a moment as Kubernetes does for micro times: UTC with a `Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Moment = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""A moment in UTC; kept to the microsecond, because drains of one second are waited by it."""


class Model(BaseModel):
    """A value of our schema. Construct it by Python names or by JSON names."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        use_enum_values=False,
    )

    def to_json(self) -> dict[str, Any]:
        """Give the value as the API stores it: JSON names, nothing that was left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ObjectMeta(BaseModel):
    """The part of an object's metadata that we read; the rest stays on the server."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Attach CEL rules (rule, message) to a model's schema."""
    return {"x-kubernetes-validations": [{"rule": r, "message": m} for r, m in pairs]}
