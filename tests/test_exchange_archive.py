"""The archive in which files go to and fro: what is refused in it, and that nothing leaves its folder."""

from __future__ import annotations

import gzip
import io
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tensorgrade.hub.exchange.archive import ArchiveLimits, BadArchive, names_in, pack, unpack
from tensorgrade.hub.exchange.form import Form

LIMITS = ArchiveLimits(1024**2, 20)
Make = Callable[[tarfile.TarFile], None]


def archive(make: Make, **more: int) -> bytes:
    """A tar.gz that somebody has made on purpose."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=more.get("format", tarfile.PAX_FORMAT)) as tar:
        make(tar)
    return out.getvalue()


def member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, **more: str | int | dict[str, str]) -> Make:
    """Adds one file, or what is none."""

    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size = kind, len(content)
        for key, value in more.items():
            setattr(info, key, value)
        tar.addfile(info, io.BytesIO(content))

    return add


def both(*parts: Make) -> Make:
    """Adds several."""
    return lambda tar: [part(tar) for part in parts] and None


def refusal(data: bytes, limits: ArchiveLimits = LIMITS) -> str:
    """Why an archive is not taken."""
    with pytest.raises(BadArchive) as caught:
        names_in(io.BytesIO(data), limits)
    return str(caught.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(member("a", b"", tarfile.SYMTYPE, linkname="/etc/passwd"), "no plain file", id="symlink"),
        pytest.param(
            both(member("a"), member("b", b"", tarfile.LNKTYPE, linkname="a")), "no plain file", id="hard link"
        ),
        pytest.param(member("a", b"", tarfile.CHRTYPE, devmajor=1, devminor=5), "no plain file", id="character device"),
        pytest.param(member("a", b"", tarfile.BLKTYPE), "no plain file", id="block device"),
        pytest.param(member("a", b"", tarfile.FIFOTYPE), "no plain file", id="pipe"),
        pytest.param(member("a", b"", tarfile.CONTTYPE), "no plain file", id="contiguous"),
        pytest.param(member("../a"), "no name that is taken", id="parent"),
        pytest.param(member("a/../../b"), "no name that is taken", id="parent inside"),
        pytest.param(member("/etc/a"), "no name that is taken", id="absolute"),
        pytest.param(member("//a"), "no name that is taken", id="two slashes"),
        pytest.param(member("a//b"), "no name that is taken", id="empty part"),
        pytest.param(member("a/./b"), "no name that is taken", id="dot inside"),
        pytest.param(member("C:\\a"), "no name that is taken", id="backslash"),
        pytest.param(member("a\nb"), "no name that is taken", id="line break"),
        pytest.param(member("a\x1b[2Jb"), "no name that is taken", id="terminal code"),
        pytest.param(member("a\u202egpj.py"), "no name that is taken", id="turned text"),
        pytest.param(member("a\x7f"), "no name that is taken", id="delete"),
        pytest.param(member("\udcff"), "no name that is taken", id="no unicode"),
        pytest.param(member("ä" * 128), "no name that is taken", id="long name"),
        pytest.param(member("/".join("a" * 17)), "no name that is taken", id="deep"),
        pytest.param(both(member("a"), member("a", b"y")), "twice", id="twice"),
        pytest.param(both(member("a"), member("./a", b"y")), "twice", id="twice, written differently"),
        pytest.param(member("timestamp.txt"), "for themselves", id="the time"),
        pytest.param(member("./submission_receipt.txt"), "for themselves", id="the receipt"),
        pytest.param(member("timestamp.txt/x"), "for themselves", id="a folder in the place of the time"),
        pytest.param(both(member("a"), member("a/b")), "a file and a folder", id="below a file"),
        pytest.param(both(member("a/b/c"), member("a")), "a file and a folder", id="above a file"),
        pytest.param(member("."), "no name that is taken", id="a file in the place of the folder"),
        pytest.param(both(*2 * [member(".", b"", tarfile.DIRTYPE)]), "twice", id="the folder itself, twice"),
        pytest.param(member("/".join(["a" * 255] * 4)), "no name that is taken", id="long path"),
        pytest.param(both(*(member(str(n)) for n in range(22))), "more than 20 files", id="many files"),
        pytest.param(both(*(member(f"{n}", bytes(600_000)) for n in range(2))), "larger than 1 MiB", id="large"),
        pytest.param(lambda tar: None, "holds no file", id="nothing"),
    ],
)
def test_what_no_archive_may_hold(make: Make, reason: str) -> None:
    """Links, device files, odd names, too much: refused with the name of what was wrong."""
    assert reason in refusal(archive(make))


def extended(headers: int, data: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """So many headers that say something of the next one, before a file."""
    extension = tarfile.TarInfo("x")
    extension.type, extension.size = kind, len(data)
    block = extension.tobuf(tarfile.USTAR_FORMAT) + data.ljust(-(-len(data) // 512) * 512, b"\0")
    file = tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT)
    return gzip.compress(block * headers + file + bytes(1024))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize(("headers", "size"), [(1, 4097), (1, 60_000), (3, 4000)])
def test_a_header_takes_no_time(kind: bytes, headers: int, size: int) -> None:
    """Digits in a header of 60 kB kept tarfile busy for seconds, and everybody else waiting; it is not read at all."""
    limits = ArchiveLimits(1024**2, 5)
    assert "headers of its files are too large" in refusal(extended(headers, b"1" * size, kind), limits)


@pytest.mark.parametrize(("layout", "reason"), [(b"1\n0\n1\n", "no plain file"), (b"", "damaged")])
def test_a_sparse_file_is_refused(layout: bytes, reason: str) -> None:
    """A file that claims more than it brings."""
    header = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(10**12)}
    made = archive(member("a", layout.ljust(512, b"\0") + b"x", pax_headers=header))
    assert reason in refusal(made)


@pytest.mark.parametrize("damage", ["cut", "bit", "second", "no gzip", "empty", "broken header"])
def test_a_damaged_archive_is_refused(damage: str) -> None:
    """What was cut off, changed on its way or continued is not taken for a smaller one."""
    good = archive(both(member("a", os.urandom(3000)), member("b", os.urandom(3000))))
    inside = bytearray(gzip.decompress(good))
    inside[512 + 3072 + 10] ^= 255  # in the header of the second file
    made = {
        "cut": good[:-20],
        "bit": good[:2000] + bytes([good[2000] ^ 1]) + good[2001:],
        "second": good + archive(member("c")),
        "no gzip": b"PK\x03\x04" + bytes(1000),
        "empty": b"",
        "broken header": gzip.compress(bytes(inside)),
    }[damage]
    assert refusal(made)


def test_a_bomb_takes_no_memory() -> None:
    """Two gigabytes of zeros in two megabytes, as a file and as a header: refused in a process with little memory."""
    bombs = {"file": both(member("a", bytes(10)), member("b", bytes(2 * 1024**2))), "header": None}
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packed:
        info = tarfile.TarInfo("x")
        info.type, info.size = tarfile.XHDTYPE, 2 * 1024**3
        packed.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(256):
            packed.write(bytes(1024**2))
    assert "headers of its files are too large" in in_little_memory(out.getvalue())
    assert "more than its files claim" in in_little_memory(extended(100_000, b""))
    assert "larger than 1 MiB" in in_little_memory(archive(bombs["file"] or both()))
    claimed = archive(member("a", b""))
    raw = bytearray(gzip.decompress(claimed))
    huge = tarfile.TarInfo("a")
    huge.size = 8 * 1024**3
    raw[:512] = huge.tobuf(tarfile.GNU_FORMAT)
    assert "larger than 1 MiB" in in_little_memory(gzip.compress(bytes(raw)))


def in_little_memory(data: bytes) -> str:
    """Read an archive in a process that has 200 MiB."""
    code = (
        "import io, sys; from tensorgrade.hub.exchange.archive import *\n"
        "try: names_in(io.BytesIO(sys.stdin.buffer.read()), ArchiveLimits(1024**2, 20))\n"
        "except BadArchive as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (300 * 1024**2,) * 2),
    )
    return done.stdout.decode() + done.stderr.decode()


def test_what_others_pack_is_taken(tmp_path: Path) -> None:
    """GNU tar in each of its formats, long and foreign names: what `tar czf` makes can be handed in with curl."""
    source = tmp_path / "source"
    (source / "a folder").mkdir(parents=True)
    names = ["tiny.ipynb", "a folder/größe.py", f"a folder/{'long' * 40}.txt", "empty"]
    for name in names:
        (source / name).write_bytes(b"" if name == "empty" else name.encode() * 3000)
    for kind in ("gnu", "pax", "ustar"):
        file = tmp_path / f"{kind}.tar.gz"
        if kind == "ustar":
            (source / names[2]).unlink(missing_ok=True)  # it cannot hold it
        subprocess.run(["tar", "czf", file, f"--format={kind}", "-C", source, "."], check=True)
        with file.open("rb") as opened:
            taken = names_in(opened, LIMITS)
        assert set(taken) == set(names) - ({names[2]} if kind == "ustar" else set())


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    """Whenever it is packed: so the exchange sees that nothing has changed."""
    files = [(name, tmp_path / name) for name in ("b", "a")]
    for name, path in files:
        path.write_text(name)
    made = []
    for order in (files, files[::-1]):
        os.utime(tmp_path / "a", (len(made), len(made)))
        out = io.BytesIO()
        pack(order, out)
        made.append(out.getvalue())
    assert made[0] == made[1]
    assert names_in(io.BytesIO(made[0]), LIMITS) == ("a", "b")


def test_unpacking_writes_through_nothing(tmp_path: Path) -> None:
    """A link that lies in the folder already leads nowhere."""
    (tmp_path / "outside").write_text("kept")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").symlink_to(tmp_path / "outside")
    with pytest.raises(BadArchive, match="cannot be written"):
        unpack(io.BytesIO(archive(member("a", b"changed"))), folder, LIMITS)
    assert (tmp_path / "outside").read_text() == "kept"


def parts(*names: str) -> bytes:
    """The parts of a form, as a browser sends them; an empty name: a field without a file."""
    heads = (f'name="files"; filename="{name}"' if name else 'name="_xsrf"' for name in names)
    return "".join(f"--edge\r\nContent-Disposition: form-data; {head}\r\n\r\nx\r\n" for head in heads).encode()


def test_a_form_of_many_files_takes_one_descriptor(tmp_path: Path) -> None:
    """72 kB with a thousand files hold no thousand descriptors, of which a process has not many more."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    form = Form("multipart/form-data; boundary=edge", tmp_path, 1000)
    try:
        form.feed(parts(*(f"{number}.txt" for number in range(1000))))
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
        form.feed(b"--edge--\r\n")
        with closing(form.packed()) as whole, whole.path.open("rb") as packed:
            whole.end()
            assert len(names_in(packed, ArchiveLimits(1024**2, 1000))) == 1000
    finally:
        form.close()


def test_a_form_has_only_so_many_parts(tmp_path: Path) -> None:
    """Fields that are no files count too; the reason is a sentence."""
    form = Form("multipart/form-data; boundary=edge", tmp_path, 3)
    form.feed(parts("a", "", "b"))
    with pytest.raises(BadArchive, match="expected at most 3 files, got more"):
        form.feed(parts(""))
    form.close()
    assert list(tmp_path.iterdir()) == []
