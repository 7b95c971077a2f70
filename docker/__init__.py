"""The services that market-streams runs on: set-up, local processes and their configuration."""
