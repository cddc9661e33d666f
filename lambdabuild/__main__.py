"""``python -m lambdabuild`` is the ``lambdabuild`` command."""

from lambdabuild.cli import main

if __name__ == "__main__":
    main()
