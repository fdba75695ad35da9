"""`python -m monitor` is `leadchange`, for those whose PATH does not have it."""

from monitor.cli.app import main

if __name__ == "__main__":
    main()
