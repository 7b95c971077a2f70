"""`python -m connectors`: see `connectors.cli`."""

from connectors.cli import main

if __name__ == "__main__":
    main()
