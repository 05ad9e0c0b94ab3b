"""The command `tensorgrade`, where its packages are installed; students' machines need only `check`."""

import atexit
import gc
import sys


def main() -> None:
    """Run the command line, or say what to install."""
    atexit.register(gc.freeze)  # else the end takes a third of a second to look for cycles in what torch has imported
    # jsonschema loads it where it is installed, for two seconds, to know addresses that no notebook has.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    try:
        from tensorgrade.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("tensorgrade"):
            raise
        sys.exit(f"tensorgrade: the command needs the package {error.name}: pip install 'tensorgrade[grade]'")
    run()


if __name__ == "__main__":
    main()
