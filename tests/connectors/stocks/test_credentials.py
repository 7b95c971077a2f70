"""Cookie and crumb: asked for once, shared, renewed once when they are refused."""

import fcntl
import threading
import time
from pathlib import Path

import pytest

from connectors.stocks.credentials import Credentials, CredentialStore


class Visits:
    """Gives new credentials at each visit, slowly."""

    def __init__(self, good_for: float = 60) -> None:
        self.count = 0
        self.good_for = good_for

    def __call__(self) -> Credentials:
        self.count += 1
        time.sleep(0.05)
        good_until = time.time() + self.good_for
        return Credentials({"A3": "visitor"}, f"crumb{self.count}", good_until)


def store(folder: Path, visits: Visits, patience: float = 5) -> CredentialStore:
    """As a process of its own would have it."""
    return CredentialStore(folder, "http://127.0.0.1:1", visits, patience)


def test_asks_once_for_all(tmp_path: Path) -> None:
    """However many start at the same moment."""
    visits = Visits()
    got: list[Credentials] = []
    threads = [
        threading.Thread(target=lambda: got.append(store(tmp_path, visits).get()))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert visits.count == 1
    assert [each.crumb for each in got] == ["crumb1"] * 10


def test_renews_once_for_all_that_were_refused(tmp_path: Path) -> None:
    """The second finds what the first got, and nobody gets the refused ones again."""
    visits = Visits()
    first, second = store(tmp_path, visits), store(tmp_path, visits)
    old = first.get()
    assert second.get() == old
    assert first.get(refused=old).crumb == "crumb2"
    assert second.get(refused=old).crumb == "crumb2"
    assert visits.count == 2


def test_asks_anew_when_they_are_old(tmp_path: Path) -> None:
    """A cookie does not live for ever."""
    visits = Visits(good_for=0)
    assert store(tmp_path, visits).get().crumb == "crumb1"
    assert store(tmp_path, visits).get().crumb == "crumb2"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cookies": {}}', '{"good_until": "soon"}'])
def test_a_broken_file_counts_for_none(tmp_path: Path, text: str) -> None:
    """And is replaced."""
    visits = Visits()
    mine = store(tmp_path, visits)
    mine.path.write_text(text)
    assert mine.get() == mine.get()
    assert visits.count == 1


def test_upstreams_do_not_share(tmp_path: Path) -> None:
    """The crumb of one is no good for another."""
    visits = Visits()
    paths = {
        CredentialStore(tmp_path, url, visits, 5).path for url in ("", "http://a:1", "http://a:2")
    }
    assert len(paths) == 3


def test_does_not_wait_for_ever(tmp_path: Path) -> None:
    """Whoever holds the lock may hang: then two ask."""
    visits = Visits()
    mine = store(tmp_path, visits, patience=0.1)
    with mine.path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert mine.get().crumb == "crumb1"


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    """Others on the host have no business with it."""
    mine = store(tmp_path, Visits())
    mine.get()
    assert mine.path.stat().st_mode & 0o077 == 0
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".lock"]
