"""`python -m dags.batch`: see `--help`."""

from dags.batch.cli import main

main()
