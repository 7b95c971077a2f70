-- Question: At each trade, what was traded in the five minutes up to and including it?
-- Key:      exchange, symbol, trade_id
-- Sinks:    kafka
-- Late:     a row of no later time than its symbol's last result is in no sum and gets no row; rows
--           behind the watermark are told in market.late-events, with their own time as the window
-- State:    the trades of each symbol's last five minutes
--
-- Exactly five minutes ago still counts. Trades of one millisecond have the same sums.
SELECT
    exchange,
    symbol,
    trade_id,
    event_time,
    COUNT(*) OVER last_5m AS trade_count,
    SUM(price * size) OVER last_5m AS total_notional,
    CAST(SUM(price * size) OVER last_5m / COUNT(price * size) OVER last_5m AS DECIMAL(38, 10)) AS average_notional,
    MAX(price * size) OVER last_5m AS max_notional,
    MIN(price * size) OVER last_5m AS min_notional
FROM trades
WINDOW last_5m AS (
    PARTITION BY exchange, symbol ORDER BY event_time
    RANGE BETWEEN INTERVAL '5' MINUTE PRECEDING AND CURRENT ROW
)
