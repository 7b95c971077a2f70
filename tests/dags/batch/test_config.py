"""Settings: parameters, environment, defaults."""

import pytest

from dags.batch.config import BatchConfig, DatabaseSettings
from dags.batch.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own environment."""
    for name in BatchConfig.model_fields:
        monkeypatch.delenv(f"BATCH_{name.upper()}", raising=False)


def test_defaults() -> None:
    """Those that people were promised."""
    config = BatchConfig.load()
    assert config.stored() == {
        "max_workers": 10,
        "worker_timeout": 30.0,
        "requests_per_second": 5.0,
        "burst_limit": 20,
        "max_retries": 3,
        "retry_delay": 2.0,
        "backoff_multiplier": 2.0,
        "batch_size": 50,
        "commit_interval": 10,
        "period": "max",
        "interval": "1d",
        "overlap_sessions": 10,
        "breaker_threshold": 5,
        "lease_seconds": None,
        "throttle_wait": 60.0,
        "throttle_wait_max": 900.0,
    }
    assert config.lease == 120


def test_parameters_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that before the defaults; an empty parameter is none."""
    monkeypatch.setenv("BATCH_MAX_WORKERS", "4")
    monkeypatch.setenv("BATCH_MAX_RETRIES", "1")
    config = BatchConfig.load(
        {"max_workers": 2, "max_retries": None, "mode": "full"}, ignore={"mode"}
    )
    assert (config.max_workers, config.max_retries, config.batch_size) == (2, 1, 50)


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each, with name, reason and value; wherever they come from."""
    monkeypatch.setenv("BATCH_BATCH_SIZE", "none")
    with pytest.raises(ConfigError) as caught:
        BatchConfig.load({"max_workers": 0, "period": "3y", "interval": "1h", "max_wrokers": 1})
    text = str(caught.value)
    assert len(caught.value.faults) == text.count("\n") + 1 == 5
    assert "max_wrokers: no such setting" in text
    assert "max_workers: Input should be greater than or equal to 1, was 0" in text
    assert "batch_size: Input should be a valid integer" in text
    assert "period: Input should be '1d'" in text and "was '3y'" in text
    assert "interval: Input should be '1d', was '1h'" in text


def test_a_run_may_not_say_which_code_is_imported() -> None:
    """The source and the host's name are the host's own business."""
    with pytest.raises(ConfigError, match=r"source: is set by the environment only .BATCH_SOURCE"):
        BatchConfig.load({"source": "os:system"})


def test_waits_must_be_in_order() -> None:
    """The first pause may not exceed the longest one."""
    with pytest.raises(ConfigError, match="throttle_wait=60 is more than throttle_wait_max=5"):
        BatchConfig.load({"throttle_wait_max": 5})


def test_stored_settings_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says meanwhile; unknown ones of another version are dropped."""
    kept = BatchConfig.load({"max_retries": 9}).stored()
    monkeypatch.setenv("BATCH_MAX_RETRIES", "1")
    assert BatchConfig.of({**kept, "of_old": 1}).max_retries == 9


def test_a_schema_must_be_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes part of SQL."""
    monkeypatch.setenv("BATCH_SCHEMA", "public; DROP TABLE stocks")
    with pytest.raises(ConfigError, match="schema: String should match pattern"):
        DatabaseSettings.load()
