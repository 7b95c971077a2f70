"""`.env.example` names every setting that there is."""

import re

import pytest
from pydantic_settings import BaseSettings

from connectors.settings import Settings as ConnectorSettings
from connectors.stocks.settings import StockSettings
from dags.batch.config import BatchConfig, DatabaseSettings
from dags.batch.notify import NotifySettings
from dags.batch.quality import CheckSettings
from docker.batch.settings import BatchDemoSettings
from docker.demo.settings import DemoSettings
from docker.local.settings import ROOT, StackSettings

INTERNAL = {"MARKET_STREAMS_INSTALLED"}
"""For tests, which share what another state folder has installed."""


SETTINGS = (
    *(StackSettings, ConnectorSettings, DemoSettings),
    *(StockSettings, DatabaseSettings, BatchConfig, CheckSettings, NotifySettings),
    BatchDemoSettings,
)


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_setting_is_in_the_example(settings: type[BaseSettings]) -> None:
    """A setting that is not written down is found by nobody."""
    text = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    prefix = settings.model_config.get("env_prefix", "")
    expected = {f"{prefix}{name}".upper() for name in settings.model_fields}
    assert expected - INTERNAL - named == set()
