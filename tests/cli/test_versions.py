"""What the tables show as the version of a release that ships a whole template."""

import pytest

from rollout.cli.tables import release_table
from rollout.resources.release import Release
from tests import build

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("reg:5000/shop/web:v1", "v1"),
        (f"reg:5000/shop/web:v1@{DIGEST}", "v1"),
        (f"reg:5000/shop/web@{DIGEST}", "0123456789ab"),
    ],
)
def test_a_template_is_known_by_the_tag_or_the_start_of_the_digest(
    image: str, version: str
) -> None:
    shipped = {"metadata": {}, "spec": {"containers": [{"name": "web", "image": image}]}}
    body = build.release()
    body["spec"] = {"rollout": "web", "template": shipped}
    resolved = {
        "strategy": {"canary": {}},
        "policy": {},
        "traffic": {},
        "deployment": "web",
        "deploymentUid": "1",
        "container": "web",
        "image": image,
        "template": shipped,
        "stableTemplate": shipped,
        "stableHash": "a",
        "replicas": 1,
    }
    release = Release.model_validate({**body, "status": {"resolved": resolved}})
    drawn = release_table([release], wide=False)
    assert [str(cell) for cell in drawn.columns[1].cells] == [version]
