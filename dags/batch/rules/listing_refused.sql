-- Question: Was the newest list of the exchange refused, so that an older one is in force?
SELECT
    'warning' AS severity,
    NULL::text AS symbol,
    newest.listing_date AS trade_date,
    newest.row_count::double precision AS value,
    'the newest list was refused, an older one is in force: ' || newest.reason AS message
FROM (SELECT * FROM stock_listings ORDER BY id DESC LIMIT 1) AS newest
WHERE NOT newest.accepted
