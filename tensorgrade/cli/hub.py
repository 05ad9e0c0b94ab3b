"""`tensorgrade hub`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import click

from tensorgrade.cli.words import complain
from tensorgrade.errors import PlatformError, UsageError

SECONDS_TO_START = 120


@click.command()
@click.argument("config", type=click.Path(exists=True, file_okay=False, path_type=Path), default="hub_config")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where homes, passwords and the hub's database are. Default: /var/lib/tensorgrade-hub as root, "
    "~/.local/share/tensorgrade-hub otherwise.",
)
@click.option("--port", type=click.IntRange(1024, 65000), default=8000, show_default=True, help="And the two after it.")
@click.option(
    "--domain",
    metavar="URL",
    help="The hub's public address, such as https://hub.example.edu. Every server then has a name of its own below it "
    "(*.hub.example.edu), so that no page of one can act on another.",
)
def hub(config: Path, state: Path | None, port: int, domain: str | None) -> int:
    """Start a JupyterHub on this machine, as the files in CONFIG say.

    CONFIG (default: hub_config) holds courses.toml, who is in which course, and profiles.toml, what a
    server may use. Prints the address and, once, the first password of everybody who is new. Each
    person's server runs in a room of its own: it sees no file and no process of another. Ctrl-C stops
    everything; people's files stay, and the same command starts the hub again.

    \b
    Examples:
      tensorgrade hub
      tensorgrade hub hub_config --port 9000 --state /srv/hub
      tensorgrade hub --domain https://hub.example.edu
    """
    _require_address(domain)
    folder = (state or _default_state()).absolute()
    _prepare(folder, port)
    process = _start(config, folder, port, domain)
    try:
        _wait_until_ready(process, port, domain, folder / "hub.log")
        click.echo(domain or f"http://127.0.0.1:{port}")
        _warn_of_directory(config / "exchange.toml")
        _show_first_passwords(folder / "first-passwords.txt")
        click.echo("Ctrl-C stops it.")
        status = process.wait()
    except KeyboardInterrupt:
        _stop(process)
        click.echo("stopped; the same command starts it again")
        return 0
    finally:
        _stop(process)
    raise PlatformError(
        f"the hub has ended by itself, with status {status}: {_last_line(folder / 'hub.log')} "
        f"(see {folder / 'hub.log'}). The same command starts it again; people's files are all there."
    )


def _start(config: Path, folder: Path, port: int, domain: str | None) -> subprocess.Popen[bytes]:
    """Run JupyterHub with the files in the folder ``config``; what it says goes into the log of its state."""
    environment = {
        **os.environ,
        "TENSORGRADE_HUB_STATE": str(folder),
        "TENSORGRADE_HUB_PORT": str(port),
        "TENSORGRADE_HUB_DOMAIN": domain or "",
    }
    program = [str(Path(sys.executable).parent / "jupyterhub"), "-f", str(config.absolute() / "jupyterhub_config.py")]
    with (folder / "hub.log").open("a") as log:
        return subprocess.Popen(  # noqa: S603
            program,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
            umask=0o077,
            start_new_session=True,
            # Started in the background, the hub would not hear the signal by which it stops what it has started.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def _warn_of_directory(file: Path) -> None:
    """Say once more what an operator has chosen there."""
    from tensorgrade.hub.exchange.settings import read_exchange

    if not read_exchange(file).is_service:
        complain(
            f"{file}: [directory]: everybody in a course can hand in as somebody else, at any time, and read what "
            "others hand in if they guess its folder's name. Take [service] unless these people trust each other."
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the hub, and wait for what it has started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _default_state() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/tensorgrade-hub")
    return Path.home() / ".local" / "share" / "tensorgrade-hub"


def _prepare(folder: Path, port: int) -> None:
    """A folder that only the hub opens, from which it gives people theirs; ports that are free.

    Raises:
        UsageError: the folder cannot be made, or a port is taken.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}. Name another with --state.") from error
    # A proxy that has outlived its hub keeps two of the ports; the new hub stops it, by this file.
    for number in (port + 1,) if (folder / "proxy.pid").exists() else (port, port + 1, port + 2):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError as error:
                raise UsageError(f"port {number} is taken. Choose others with --port.") from error


def _require_address(domain: str | None) -> None:
    """A domain is an address without a path; servers' names are put in front of it.

    Raises:
        UsageError: it is not.
    """
    parts = urlsplit(domain or "http://localhost")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
        raise UsageError(f"--domain {domain}: expected an address such as https://hub.example.edu, without a path")


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, domain: str | None, log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    # Behind a domain the proxy answers by name only.
    headers = {"Host": urlsplit(domain).netloc} if domain else {}
    health = urllib.request.Request(f"http://127.0.0.1:{port}/hub/health", headers=headers)
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise UsageError(f"the hub did not start: {_last_line(log)} (see {log})")
        try:
            with urllib.request.urlopen(health, timeout=5):  # noqa: S310 - an address of ours
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise UsageError(f"the hub did not answer within {SECONDS_TO_START} seconds (see {log})")


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _show_first_passwords(file: Path) -> None:
    """Print them once: afterwards nobody can look them up."""
    if file.exists():
        click.echo("First passwords, shown once (people change theirs at /hub/change-password):")
        for line in file.read_text().splitlines():
            user, _, password = line.partition(" ")
            click.echo(f"  {user:20} {password}")
        file.unlink()
