"""`python -m ops`: the command line `plumbline`."""

from ops.cli import main

if __name__ == "__main__":
    main()
