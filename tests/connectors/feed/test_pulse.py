"""Pulse: frames and pings tell a dead connection from a silent one."""

import asyncio
from collections.abc import Awaitable

from connectors.feed.pulse import Pulse


class Socket:
    """The other side of a connection, which answers pings or does not."""

    def __init__(self, answers: bool) -> None:
        self.pings = 0
        self._answers = answers

    async def ping(self) -> Awaitable[float]:
        """Send a ping."""
        self.pings += 1
        pong: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if self._answers:
            pong.set_result(0.001)
        return pong


async def test_frames_are_life_and_need_no_ping() -> None:
    """As long as they come within half of the limit nobody is asked."""
    socket = Socket(answers=True)
    pulse = Pulse(socket, 10.0, 0.0)
    for second in range(1, 60, 4):
        assert await pulse.look(second, float(second)) is None
    assert socket.pings == 0


async def test_a_silence_says_whether_the_ping_of_its_middle_was_answered() -> None:
    """One ping, after half of the limit."""
    for answers in (True, False):
        socket = Socket(answers)
        pulse = Pulse(socket, 10.0, 0.0)
        assert await pulse.look(1, 2.0) is None
        for now in (6.9, 7.1, 8.0, 12.0):
            assert await pulse.look(1, now) is None
        assert socket.pings == 1
        assert await pulse.look(1, 12.1) == (10.1, answers)


async def test_a_silence_that_was_found_usual_goes_on_and_is_asked_about_again() -> None:
    """The seconds are those since the last frame, however often it was looked at."""
    socket = Socket(answers=True)
    pulse = Pulse(socket, 10.0, 0.0)
    assert await pulse.look(0, 6.0) is None
    assert await pulse.look(0, 11.0) == (11.0, True)
    pulse.rest(11.0)
    assert await pulse.look(0, 17.0) is None
    assert socket.pings == 2
    assert await pulse.look(0, 22.0) == (22.0, True)
