"""Ready names of counters, a file per preset."""

from collections.abc import Mapping
from typing import Final

from rollout.metrics.presets import envoy, http, ingress_nginx
from rollout.metrics.presets.base import PresetNames
from rollout.resources.policy import Preset

PRESETS: Final[Mapping[Preset, PresetNames]] = {
    Preset.HTTP: http.NAMES,
    Preset.ENVOY: envoy.NAMES,
    Preset.INGRESS_NGINX: ingress_nginx.NAMES,
}
