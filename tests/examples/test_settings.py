"""What the sample service is told by its environment, and what it says of a wrong word."""

import re

import pytest
from gemini_agent.settings import Dials, SettingError, Settings, read

PASSWORD = "open sesame"


def test_the_password_is_in_no_text_of_the_settings() -> None:
    assert PASSWORD not in repr(read({"REDIS_PASSWORD": PASSWORD}))


def test_the_environment_says_all() -> None:
    given = {
        "APP_NAME": "shop-agent",
        "RATE_LIMIT_REQUESTS": "0",
        "ENABLE_CACHING": "False",
        "LOG_LEVEL": "debug",
        "DIAL_ERRORS": "0.05",
        "MAX_TOKENS": "",
        "FORWARDED_ALLOW_IPS": "10.0.0.0/8, 192.0.2.7",
    }
    told = read(given)
    assert told == Settings(
        app_name="shop-agent",
        rate_limit=0,
        caching=False,
        log_level="DEBUG",
        proxies=("10.0.0.0/8", "192.0.2.7/32"),
        dials=Dials(errors=0.05),
    )


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("PORT", "0", "a port, such as 8080"),
        ("REDIS_PORT", "http", "a port, such as 6379"),
        ("RATE_LIMIT_WINDOW", "0", "seconds, such as 60"),
        ("ENABLE_METRICS", "yes", "true or false"),
        ("FORWARDED_ALLOW_IPS", "*", "addresses or networks of proxies, such as 10.0.0.0/8"),
        ("LOG_FORMAT", "xml", "one of json, text"),
        ("LOG_LEVEL", "LOUD", "one of DEBUG, ERROR, INFO, WARNING"),
        ("DIAL_ERRORS", "5", "a share of requests, such as 0.05"),
        ("DIAL_STARTUP_SECONDS", "-1", "seconds, such as 3"),
        ("DIAL_OVERLOAD", "-1", "requests a second on one pod, such as 20"),
        ("DIAL_LINGER_SECONDS", "long", "seconds, such as 5"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(name: str, value: str, form: str) -> None:
    with pytest.raises(SettingError, match=re.escape(f"{name}: {value!r} is not {form}")):
        read({name: value})
