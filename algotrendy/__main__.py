"""`python -m algotrendy` is the same program as the console script `algotrendy`."""

from algotrendy.cli import main

if __name__ == "__main__":
    main()
