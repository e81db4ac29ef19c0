from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from rollout.resources.duration import Duration, format_duration, parse_duration, seconds


class Held(BaseModel):
    hold: Duration = seconds(90)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("0s", 0),
        ("250ms", 0.25),
        ("90s", 90),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("1h0m0s", 3600),
        ("36h", 129_600),
    ],
)
def test_go_durations_are_read(text: str, value: float) -> None:
    assert parse_duration(text) == timedelta(seconds=value)


@pytest.mark.parametrize(
    "text", ["", "30", "-5s", "+5s", "1 m", "1d", "2w", "5min", "s", "1m 30s", "1e3s", "1us", ".5s"]
)
def test_what_go_would_not_read_is_refused_with_the_value_and_a_fix(text: str) -> None:
    with pytest.raises(ValueError, match="write a number with a unit, as in 1m30s") as refused:
        parse_duration(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["8761h", "99999999999999999999h"])
def test_more_than_a_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}'"):
        parse_duration(text)


@given(st.integers(0, 365 * 86_400_000))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0s"), (0.25, "250ms"), (3600, "1h"), (90, "1m30s"), (5, "5s")]
)
def test_durations_are_written_short(value: float, text: str) -> None:
    assert format_duration(seconds(value)) == text


def test_json_form_is_the_go_string_and_python_form_a_timedelta() -> None:
    held = Held.model_validate({"hold": "2m"})
    assert held.hold == timedelta(minutes=2)
    assert held.model_dump(mode="json") == {"hold": "2m"}
    assert held.model_dump() == {"hold": timedelta(minutes=2)}


@pytest.mark.parametrize("value", [30, 1.5, None, ["30s"]])
def test_bare_numbers_are_refused_with_a_fix(value: object) -> None:
    with pytest.raises(ValidationError, match=r"write it with a unit, as in 30s"):
        Held.model_validate({"hold": value})


def test_timedelta_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="give 0s to 8760h"):
        Held(hold=timedelta(seconds=-1))


def test_schema_tells_the_pattern() -> None:
    schema = TypeAdapter(Duration).json_schema()
    assert schema["type"] == "string"
    assert schema["pattern"].startswith("^(0|")
