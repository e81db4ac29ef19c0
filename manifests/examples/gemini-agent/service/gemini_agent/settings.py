"""What the service is told by its environment. Read once; a value that cannot be read is named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final, TypeVar

from gemini_agent.logs import FORMATS

N = TypeVar("N", int, float)
SWITCHES: Final = {"true": True, "false": False}
LOG_LEVELS: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})
PORTS: Final = 65535
PRIVATE: Final = (
    *("127.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"),
    *("::1/128", "fc00::/7"),
)
"""Where the proxies in front of a pod are: addresses that nobody has in the internet."""


class SettingError(ValueError):
    """A variable that cannot be read. The message names it, its value and the form it takes."""


@dataclass(frozen=True)
class Variable:
    """A variable of the environment: the field it sets, how it is read, and what it looks like."""

    field: str
    parse: Callable[[str], Any]
    form: str

    def read(self, name: str, value: str) -> Any:
        """Read its value. Raises SettingError."""
        try:
            return self.parse(value)
        except (KeyError, ValueError) as cause:
            raise SettingError(f"{name}: {value!r} is not {self.form}") from cause


@dataclass(frozen=True)
class Dials:
    """What the service does wrong on purpose, so that a release of it can be practised.

    `errors` is the share of requests that fail (0 to 1); `slow_share` of them take
    `slow_seconds`; `startup_seconds` pass before it listens. Above `overload` requests a second
    every request fails. For `linger_seconds` it goes on serving when it is told to stop.
    """

    errors: float = 0.0
    slow_share: float = 0.0
    slow_seconds: float = 0.0
    startup_seconds: float = 0.0
    never_ready: bool = False
    overload: float | None = None
    linger_seconds: float = 0.0


@dataclass(frozen=True)
class Settings:
    """All of it, with the defaults of a service that runs alone on somebody's machine."""

    app_name: str = "gemini-agent"
    version: str = "dev"
    pod: str = "local"
    host: str = "0.0.0.0"
    port: int = 8080
    log_level: str = "INFO"
    log_format: str = "text"
    model: str = "gemini-2.0-flash"
    max_tokens: int = 8192
    rate_limit: int = 100
    """Requests that one client may make in a window; 0: as many as it likes."""
    rate_window: int = 60
    """Seconds."""
    proxies: tuple[str, ...] = PRIVATE
    """Networks whose word in X-Forwarded-For is taken: the client is the last address in it that
    is in none of them. Who may connect at all is the NetworkPolicy's to say."""
    redis_host: str = ""
    """Empty: limits and cached answers are each pod's own."""
    redis_port: int = 6379
    redis_password: str = field(default="", repr=False)
    """Empty: it asks for none."""
    caching: bool = True
    metrics: bool = True
    dials: Dials = field(default_factory=Dials)


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingError for a value that cannot be one."""
    dials = Dials(**_given(environment, DIALS))
    return Settings(dials=dials, **_given(environment, SETTINGS))


def _given(environment: Mapping[str, str], table: Mapping[str, Variable]) -> dict[str, Any]:
    return {
        variable.field: variable.read(name, environment[name])
        for name, variable in table.items()
        if environment.get(name)
    }


def _switch(value: str) -> bool:
    return SWITCHES[value.lower()]


def _level(value: str) -> str:
    if value.upper() not in LOG_LEVELS:
        raise ValueError(value)
    return value.upper()


def _format(value: str) -> str:
    if value.lower() not in FORMATS:
        raise ValueError(value)
    return value.lower()


def _count(value: str) -> int:
    return _within(int(value), 0, 10**9)


def _positive(value: str) -> int:
    return _within(int(value), 1, 10**9)


def _port(value: str) -> int:
    return _within(int(value), 1, PORTS)


def _share(value: str) -> float:
    return _within(float(value), 0.0, 1.0)


def _rate(value: str) -> float:
    return _within(float(value), 0.0, 1e9)


def _seconds(value: str) -> float:
    return _within(float(value), 0.0, 3600.0)


def _networks(value: str) -> tuple[str, ...]:
    return tuple(str(ip_network(one.strip())) for one in value.split(","))


def _within(value: N, least: N, most: N) -> N:
    if not least <= value <= most:
        raise ValueError(value)
    return value


SETTINGS: Final[Mapping[str, Variable]] = {
    "APP_NAME": Variable("app_name", str, "a name"),
    "APP_VERSION": Variable("version", str, "a version"),
    "POD_NAME": Variable("pod", str, "a name"),
    "HOST": Variable("host", str, "an address"),
    "PORT": Variable("port", _port, "a port, such as 8080"),
    "LOG_LEVEL": Variable("log_level", _level, f"one of {', '.join(sorted(LOG_LEVELS))}"),
    "LOG_FORMAT": Variable("log_format", _format, f"one of {', '.join(FORMATS)}"),
    "GEMINI_MODEL": Variable("model", str, "the name of a model"),
    "MAX_TOKENS": Variable("max_tokens", _positive, "a number, such as 8192"),
    "RATE_LIMIT_REQUESTS": Variable("rate_limit", _count, "a number, such as 100"),
    "RATE_LIMIT_WINDOW": Variable("rate_window", _positive, "seconds, such as 60"),
    "FORWARDED_ALLOW_IPS": Variable(
        "proxies", _networks, "addresses or networks of proxies, such as 10.0.0.0/8,192.0.2.7"
    ),
    "REDIS_HOST": Variable("redis_host", str, "a host"),
    "REDIS_PASSWORD": Variable("redis_password", str, "a password"),
    "REDIS_PORT": Variable("redis_port", _port, "a port, such as 6379"),
    "ENABLE_CACHING": Variable("caching", _switch, "true or false"),
    "ENABLE_METRICS": Variable("metrics", _switch, "true or false"),
}
DIALS: Final[Mapping[str, Variable]] = {
    "DIAL_ERRORS": Variable("errors", _share, "a share of requests, such as 0.05"),
    "DIAL_SLOW_SHARE": Variable("slow_share", _share, "a share of requests, such as 0.2"),
    "DIAL_SLOW_SECONDS": Variable("slow_seconds", _seconds, "seconds, such as 0.3"),
    "DIAL_STARTUP_SECONDS": Variable("startup_seconds", _seconds, "seconds, such as 3"),
    "DIAL_NEVER_READY": Variable("never_ready", _switch, "true or false"),
    "DIAL_OVERLOAD": Variable("overload", _rate, "requests a second on one pod, such as 20"),
    "DIAL_LINGER_SECONDS": Variable("linger_seconds", _seconds, "seconds, such as 5"),
}
