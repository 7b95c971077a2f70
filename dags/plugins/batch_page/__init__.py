"""The page "Batch": what a browser asks, who may ask it, and the page itself."""
