"""The event engine: what comes from exchanges, handed to your functions, urgent things first.

It needs neither Kafka nor the rest of the platform. Ten lines that print trades:

```python
import asyncio
from connectors.engine import EventEngine
from connectors.processor import DataStreamProcessor
from connectors.settings import load_settings

async def main(seconds: float) -> None:
    engine = EventEngine()
    engine.register_handler("trade", lambda trade: print(trade.symbol, trade.price, trade.size))
    async with DataStreamProcessor(engine) as processor:
        processor.subscribe("binance", ["BTC-USDT"], ["trades"])
        await processor.connect_exchange("binance", load_settings().ws_base("binance"))
        asyncio.get_running_loop().call_later(seconds, engine.stop)
        await engine.process_events()
```

Event types: ``price_update`` (`Quote`, `Candle`), ``trade``, ``order_book``, ``order_status``,
``position_update``, ``system`` (`FeedStatus`, `Heartbeat`), ``alert``, and those of your own
`EngineEvent`. `EventEngine.processing_stats` tells what was done and how fast.
"""

from connectors.engine.core import EngineStopped, EventEngine
from connectors.engine.events import EngineEvent, Policy
from connectors.engine.stats import ProcessingStats

__all__ = ["EngineEvent", "EngineStopped", "EventEngine", "Policy", "ProcessingStats"]
