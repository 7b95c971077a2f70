"""One pure file per venue: what to send, what its frames mean. No socket, no clock, no await."""
