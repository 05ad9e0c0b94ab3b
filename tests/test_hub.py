"""The room `hub`: who and what are read, rendered and enforced; each person's server has a room of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jupyterhub import orm
from jupyterhub.scopes import scope_definitions
from jupyterhub.user import User
from tornado.web import HTTPError
from traitlets.config import Config

from tensorgrade.errors import UsageError
from tensorgrade.hub import (
    HubCourse,
    Profile,
    allowed_profiles,
    groups_of,
    read_courses,
    read_profiles,
    roles_of,
)
from tensorgrade.hub.cgroups import limit_server, prepare_groups
from tensorgrade.hub.culler import Server, reason_to_stop
from tensorgrade.hub.exchange.settings import read_exchange
from tensorgrade.hub.gpus import Gpu, device_paths, parse_gpus
from tensorgrade.hub.quota import has_seat
from tensorgrade.hub.room import home_of, room_command
from tensorgrade.hub.spawner import ProfileSpawner
from tests.running_hub import children_of, wait_until_gone

ROOT = Path(__file__).parents[1]
CPU = Profile("cpu", "CPU", "For notebooks.", 2, 4, "course-cpu")
GPU = Profile(
    "gpu", "GPU", "To train.", 4, 16, "course-gpu", gpus=1, shared_memory_gib=4, longest_hours=2, partition="a100"
)
WITH_GPU = HubCourse("dl101", "Deep learning", ".", ("iris",), ("tom",), ("ada", "bob"), gpus=1)
WITHOUT = HubCourse("ml1", "Machine learning", ".", ("ivo",), (), ("eve",))


# The two files


def test_the_examples_can_be_read() -> None:
    """The files in hub_config are as the hub wants them."""
    assert [course.name for course in read_courses(ROOT / "hub_config" / "courses.toml")] == ["dl101"]
    assert [profile.name for profile in read_profiles(ROOT / "hub_config" / "profiles.toml")] == ["cpu", "gpu"]


COURSE = '[dl101]\ntitle = "T"\nfolder = "."\ninstructors = ["iris"]\n'
PROFILE = '[cpu]\ntitle = "T"\ntext = "T"\ncores = 2\nmemory_gib = 4\nimage = "i"\n'


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("courses", "[dl101", "cannot be read"),
        ("courses", "dl101 = 3", r"dl101: expected a table such as \[dl101\]"),
        ("courses", COURSE + "gpu = 1", r"\[dl101\]: unknown key gpu. Known: folder, gpus"),
        ("courses", COURSE.replace('title = "T"\n', ""), "title is missing"),
        ("courses", COURSE + 'students = "ada"', "students: expected a list of texts"),
        ("courses", COURSE + "gpus = true", "gpus: expected a whole number, got True"),
        ("courses", COURSE + "gpus = -1", "gpus: expected 0 or more"),
        ("courses", COURSE + "late_hours = -1", "late_hours: expected 0 or more"),
        ("exchange", "[folder]", r"expected one of the tables \[service\], \[directory\]"),
        ("exchange", "[service]\n[directory]", "expected one table, got 2"),
        ("exchange", "[service]\nupload_mib = 0", "upload_mib: expected 1 or more, got 0"),
        ("exchange", '[service]\nproxies = ["proxy"]', "proxies: expected addresses such as 10.0.0.7, got 'proxy'"),
        ("courses", COURSE.replace("dl101", "DL101"), "expected a name of small letters"),
        ("courses", COURSE + 'students = ["../ada"]', "user '../ada': expected small letters"),
        ("courses", COURSE + 'students = ["iris"]', "iris is both staff and student"),
        (
            "courses",
            COURSE + 'lms_context = "7"\n' + COURSE.replace("dl101", "b") + 'lms_context = "7"',
            "that of dl101 too",
        ),
        ("profiles", "", "expected one without a GPU"),
        ("profiles", PROFILE + "gpus = 1", "expected one without a GPU"),
        ("profiles", PROFILE.replace("cores = 2", "cores = 0"), "cores: expected a number above 0"),
        (
            "profiles",
            PROFILE + "memory_gib = nan".replace("memory_gib", "shared_memory_gib"),
            "shared_memory_gib: expected",
        ),
        ("profiles", PROFILE + "shared_memory_gib = 5", "it counts as memory"),
        ("profiles", PROFILE.replace("cores = 2", 'cores = "2"'), "cores: expected a whole number, got '2'"),
    ],
)
def test_mistakes_in_the_files_are_named(tmp_path: Path, kind: str, text: str, reason: str) -> None:
    """What an operator got wrong is said with the file, the table and the key."""
    path = tmp_path / f"{kind}.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason) as caught:
        {"courses": read_courses, "profiles": read_profiles, "exchange": read_exchange}[kind](path)
    assert str(caught.value).startswith(str(path))


# Who may what


def test_nobody_is_admin() -> None:
    """No role has a scope that reaches all users or another person's server, but the culler's four."""
    roles = {role["name"]: role["scopes"] for role in roles_of((WITH_GPU, WITHOUT), exchange=True)}
    assert set(roles.pop("idle-culler")) == {"list:users", "read:users:activity", "read:servers", "delete:servers"}
    for name, scopes in roles.items():
        for scope in scopes:
            verb, _, filtered = scope.partition("!")
            assert verb in scope_definitions, scope
            assert not verb.startswith("admin"), scope
            assert not (verb == "access:servers" and filtered != "user"), scope
            assert filtered or verb in ("list:services", "read:services"), f"{name}: {scope}"


def test_instructors_reach_their_own_course_only() -> None:
    """The scopes of one course's instructors name that course's students and nobody else."""
    role = next(role for role in roles_of((WITH_GPU, WITHOUT)) if role["name"] == "instructors-ml1")
    assert role["groups"] == ["instructors-ml1"]
    assert {scope.partition("!")[2] for scope in role["scopes"]} == {"group=nbgrader-ml1"}
    verbs = {scope.partition("!")[0] for scope in role["scopes"]}
    assert "groups" not in verbs, "who may add members to a group can stop anybody's server"
    assert groups_of((WITHOUT,))["nbgrader-ml1"] == {"users": ["eve"]}


def test_only_members_and_pages_may_ask_the_exchange() -> None:
    """The scope of the exchange belongs to courses' groups and grading pages; without a service to nobody."""
    [role] = [role for role in roles_of((WITHOUT,), exchange=True) if role["name"] == "exchange"]
    assert role["scopes"] == ["access:services!service=exchange"]
    assert role["groups"] == ["formgrade-ml1", "nbgrader-ml1"]
    assert role["services"] == ["grading-ml1"]
    assert "exchange" not in str(roles_of((WITHOUT,)))


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        (["nbgrader-dl101"], ["cpu", "gpu"]),
        (["formgrade-dl101"], ["cpu", "gpu"]),
        (["nbgrader-ml1"], ["cpu"]),
        ([], ["cpu"]),
    ],
)
def test_a_gpu_is_for_members_of_courses_with_gpus(groups: list[str], names: list[str]) -> None:
    """Who is in no course that has GPUs has no such profile."""
    assert [profile.name for profile in allowed_profiles((CPU, GPU), (WITH_GPU, WITHOUT), groups)] == names


# The quota


@pytest.mark.parametrize(
    ("mine", "others", "fits"),
    [
        pytest.param(["a"], [], True, id="first"),
        pytest.param(["a"], [["a"]], False, id="full"),
        pytest.param(["b"], [["b"]], True, id="b has two"),
        pytest.param(["a"], [["a", "b"]], True, id="the other counts for b"),
        pytest.param(["a", "b"], [["a"], ["b"]], True, id="counts for the free one"),
        pytest.param(["a"], [["a", "b"], ["b"], ["b"]], False, id="both full"),
        pytest.param(["b"], [["a"], ["a"], ["b"]], True, id="too many of a are not b's fault"),
        pytest.param([], [], False, id="no course"),
        pytest.param(["a"], [[]], True, id="somebody has left the course"),
    ],
)
def test_everybody_counts_for_one_course(mine: list[str], others: list[list[str]], fits: bool) -> None:
    """Course a may have one GPU server, course b two; who is in both takes no seat that another needs."""
    assert has_seat(mine, others, {"a": 1, "b": 2}) is fits


NEXT = HubCourse("nlp", "Language", ".", ("iris",), (), ("bob", "cy"), gpus=1)
GPUS = [Gpu("GPU-1", "A100", ("nvidia0",)), Gpu("GPU-2", "A100", ("nvidia1",)), Gpu("GPU-3", "A100", ("nvidia2",))]


@pytest.fixture
def people() -> Iterator[dict[str, User]]:
    """The members of two courses, in a database of the hub's own kind."""
    open_session = orm.new_session_factory("sqlite:///:memory:")
    db = open_session()
    settings = Config()
    settings.ProfileSpawner.profiles = [CPU, GPU]
    settings.ProfileSpawner.courses = [WITH_GPU, NEXT]
    settings.ProfileSpawner.gpus = GPUS
    users: dict[str, User] = {}
    for group, members in groups_of((WITH_GPU, NEXT)).items():
        row = orm.Group(name=group)
        db.add(row)
        for name in members["users"]:
            if name not in users:
                db.add(account := orm.User(name=name))
                db.commit()
                users[name] = User(account, {"spawner_class": ProfileSpawner, "config": settings})
            row.users.append(users[name].orm_user)
    db.commit()
    yield users
    db.close()


def has_a_server(user: User, profile: str) -> None:
    """What the hub writes down when a server of this user has been started."""
    user.orm_spawners[""].server = orm.Server()
    user.orm_spawners[""].user_options = {"profile": profile}
    user.orm_spawners[""].started = datetime(2026, 1, 1)
    user.db.commit()


def test_a_course_has_no_more_gpu_servers_than_it_may(people: dict[str, User]) -> None:
    """The second member of a course with one GPU is refused with a sentence, although the machine has more."""
    spawner = people["ada"].spawner
    spawner.user_options = {"profile": "gpu"}
    has_a_server(people["tom"], "cpu")
    assert spawner.refuse_what_is_full() == GPU
    has_a_server(people["tom"], "gpu")
    with pytest.raises(HTTPError) as caught:
        spawner.refuse_what_is_full()
    assert caught.value.status_code == 503
    assert caught.value.jupyterhub_message == (
        "Deep learning: all GPU servers are in use (there are 1). Try later, or take a profile without a GPU."
    )
    page = spawner._options_form_default()
    assert 'value="gpu" disabled' in page
    assert "Deep learning: all GPU servers are in use (there are 1)" in page
    people["tom"].orm_spawners[""].server = None  # it has stopped; what was asked for stays written down
    people["tom"].db.commit()
    assert spawner.refuse_what_is_full() == GPU


def test_a_person_in_two_courses_counts_for_the_free_one(people: dict[str, User]) -> None:
    """Bob is in both courses: his server leaves a seat to either, a third person finds none."""
    has_a_server(people["bob"], "gpu")
    for name in ("ada", "cy"):
        assert people[name].spawner.obstacle(GPU) == ""
    has_a_server(people["cy"], "gpu")
    assert people["ada"].spawner.obstacle(GPU).startswith("Deep learning: all GPU servers")
    assert people["iris"].spawner.obstacle(GPU).startswith("Deep learning and Language: all")


def test_of_two_who_ask_at_once_the_first_gets_the_seat(people: dict[str, User]) -> None:
    """Who asked earlier is not refused because of somebody who asked later."""
    has_a_server(people["ada"], "gpu")
    has_a_server(people["tom"], "gpu")
    people["tom"].orm_spawners[""].started = datetime(2026, 1, 2)
    assert people["ada"].spawner.obstacle(GPU) == ""
    assert people["tom"].spawner.obstacle(GPU) != ""


def test_the_page_counts_gpus_that_are_free(people: dict[str, User]) -> None:
    """Before the click the page says how many GPUs are left, and a held one is not offered again."""
    spawner = people["ada"].spawner
    assert "3 of 3 GPUs free" in spawner._options_form_default()
    people["tom"].spawner.load_state({"pid": 0, "gpus": ["GPU-2"]})
    assert "2 of 3 GPUs free" in spawner._options_form_default()
    people["bob"].spawner.load_state({"pid": 0, "gpus": ["GPU-1", "GPU-3"]})
    assert spawner.obstacle(GPU) == "All 3 GPUs of this machine are in use."
    for name in ("tom", "bob"):
        people[name].spawner.clear_state()
    assert "3 of 3 GPUs free" in spawner._options_form_default()
    spawner.gpus = []
    assert "No GPU on this machine." in spawner._options_form_default()


# GPUs


TABLE = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 1g.5gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.5gb     Device  1: (UUID: MIG-GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/5/0)
GPU 1: Tesla T4 (UUID: GPU-e55a4a57-bdef-3ad4-5f02-07a4d9b3d6c1)
"""
DETAILS = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log><attached_gpus>2</attached_gpus>
<gpu id="00000000:07:00.0"><uuid>GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77</uuid><minor_number>3</minor_number>
<mig_mode><current_mig>Enabled</current_mig></mig_mode><mig_devices>
<mig_device><index>0</index><gpu_instance_id>1</gpu_instance_id><compute_instance_id>0</compute_instance_id></mig_device>
<mig_device><index>1</index><gpu_instance_id>5</gpu_instance_id><compute_instance_id>0</compute_instance_id></mig_device>
</mig_devices></gpu>
<gpu id="00000000:0F:00.0"><mig_devices>None</mig_devices><uuid>GPU-e55a4a57-bdef-3ad4-5f02-07a4d9b3d6c1</uuid>
<minor_number>1</minor_number></gpu></nvidia_smi_log>"""
MINORS = "config 1\nmonitor 2\ngpu3/gi1/access 12\ngpu3/gi1/ci0/access 13\ngpu3/gi5/access 48\ngpu3/gi5/ci0/access 49\n"


def test_gpus_and_slices_are_found() -> None:
    """Of what NVIDIA's driver prints come the GPUs, the slices instead of a sliced GPU, and the nodes of each."""
    first, second, third = parse_gpus(TABLE, DETAILS, MINORS)
    assert first.uuid == "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f"
    assert first.nodes == ("nvidia3", "nvidia-caps/nvidia-cap12", "nvidia-caps/nvidia-cap13")
    assert second.uuid == "MIG-GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77/5/0"  # as drivers before R470 call it
    assert second.nodes == ("nvidia3", "nvidia-caps/nvidia-cap48", "nvidia-caps/nvidia-cap49")
    assert third == Gpu("GPU-e55a4a57-bdef-3ad4-5f02-07a4d9b3d6c1", "Tesla T4", ("nvidia1",))


def test_a_slice_without_a_known_node_has_none() -> None:
    """Where the driver does not tell a node, no other is taken for it; a machine without a driver has no GPU."""
    assert [gpu.nodes for gpu in parse_gpus(TABLE, DETAILS, "")] == [(), (), ("nvidia1",)]
    assert parse_gpus("No devices found.\n", "<nvidia_smi_log></nvidia_smi_log>", "") == ()


def test_a_room_has_the_nodes_of_its_gpus_only(tmp_path: Path) -> None:
    """Of all nodes those of the GPU that was handed out and the driver's own; all where they cannot be told."""
    (tmp_path / "nvidia-caps").mkdir()
    for name in (
        "nvidia0",
        "nvidia1",
        "nvidiactl",
        "nvidia-uvm",
        "nvidia-caps/nvidia-cap12",
        "nvidia-caps/nvidia-cap1",
    ):
        (tmp_path / name).touch()
    assert device_paths((), tmp_path) == ()
    one = device_paths((Gpu("GPU-1", "T4", ("nvidia1",)),), tmp_path)
    assert [path.name for path in one] == ["nvidiactl", "nvidia-uvm", "nvidia1"]
    unknown = device_paths((Gpu("GPU-1", "T4", ()),), tmp_path)
    assert {"nvidia0", "nvidia1"} <= {path.name for path in unknown}


def test_a_node_that_was_handed_out_is_in_the_room(homes: Path) -> None:
    """The room has the nodes that it was given, and no other device of the machine."""
    given = Path("/dev/fuse") if Path("/dev/fuse").exists() else Path("/dev/kmsg")
    home = home_of("ada", homes)
    code = "import os; print(sorted(os.listdir('/dev')))"
    found = []
    for devices in ((), (given,)):
        command = [*room_command(home, (), devices), sys.executable, "-c", code]
        found.append(subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout)
    assert given.name not in found[0]
    assert given.name in found[1]
    assert "nvidia" not in found[1]


# Cores and memory


def test_a_group_has_the_limits_of_the_profile(tmp_path: Path) -> None:
    """Cores, memory and the number of processes are written as the kernel's manual has them."""
    (tmp_path / "server-ada").mkdir()
    (tmp_path / "server-ada" / "memory.swap.max").touch()
    group = limit_server(tmp_path, "ada", GPU)
    written = {file.name: file.read_text() for file in group.iterdir()}
    assert written == {
        "cpu.max": "400000 100000",
        "memory.max": "17179869184",
        "memory.swap.max": "0",
        "pids.max": "2048",
    }


def test_a_machine_that_cannot_hold_servers_says_so(tmp_path: Path) -> None:
    """Without version 2 of the control groups, or without the controllers, the reason is a sentence."""
    assert prepare_groups(tmp_path, "0::/\n").reason == f"{tmp_path} is not version 2 of the control groups"
    (tmp_path / "cgroup.controllers").write_text("")
    (tmp_path / "cgroup.subtree_control").mkdir()  # takes no controller
    refused = prepare_groups(tmp_path, "0::/\n")
    assert refused.folder is None
    assert "no groups with +cpu +memory +pids there" in refused.reason


@pytest.mark.proof
def test_the_kernel_holds_a_server_to_its_limits() -> None:
    """On a real kernel a server beyond its memory is killed, one more process is refused, and nothing is left."""
    kernel = shutil.which("linux.uml")
    if kernel is None:
        pytest.skip("no user-mode Linux here. On Debian: apt-get install user-mode-linux")
    options = ["mem=1500M", "rootfstype=hostfs", "root=/dev/root", "rootflags=/", "ro", "con=null", "con0=fd:0,fd:1"]
    program = [f"init={sys.executable}", "quiet", "--", "-B", str(ROOT / "tests" / "limits_probe.py")]
    command = [kernel, *options, *program]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    said = next((line for line in done.stdout.splitlines() if line.startswith("PROBE ")), None)
    assert said is not None, done.stdout
    found = json.loads(said.removeprefix("PROBE "))
    assert found["hub"] == "0::/unit/hub"  # out of the way of the servers' groups
    assert found["greedy"] == ["-9", "0::/unit/tensorgrade-servers/server-ada", "60 MiB", ""]
    assert found["cores"] == ["100000", "100000"]
    assert found["forked"] == 29
    assert found["left"] is False


# How long


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("profile", "started", "active", "reason"),
    [
        pytest.param(CPU, 600, 59, "", id="used"),
        pytest.param(CPU, 600, 60, "was idle for 60 minutes", id="idle"),
        pytest.param(CPU, 60, None, "was idle for 60 minutes", id="never used"),
        pytest.param(CPU, 59, 600, "", id="activity of an earlier server"),
        pytest.param(CPU, 720, 0, "ran for 12 hours", id="too long, though used"),
        pytest.param(GPU, 119, 1, "", id="gpu used"),
        pytest.param(GPU, 120, 1, "ran for 2 hours", id="gpu too long"),
    ],
)
def test_each_profile_has_its_own_time(profile: Profile, started: int, active: int | None, reason: str) -> None:
    """A server goes when it is idle or old by the limits of its own profile; minutes ago."""
    last = None if active is None else NOW - timedelta(minutes=active)
    server = Server("ada", profile.name, NOW - timedelta(minutes=started), last)
    assert reason_to_stop(server, profile, NOW) == reason


def test_the_culler_ends_with_a_hub_that_is_killed() -> None:
    """It does not ask for ever at an address where nobody is, or another hub by now."""
    code = "from tensorgrade.hub import culler; culler.EVERY_SECONDS = 0.1; culler.main()"
    command = [sys.executable, "-c", code, str(ROOT / "hub_config" / "profiles.toml"), "http://127.0.0.1:9/hub/api"]
    hub = [sys.executable, "-c", f"import subprocess; subprocess.Popen({command!r}).wait()"]
    with subprocess.Popen(hub, env={"JUPYTERHUB_API_TOKEN": "none"}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert "the hub does not answer" in process.stderr.readline()
        culler = children_of(process.pid)
        process.kill()
    wait_until_gone(*culler)


# The room


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """A folder of homes that only the hub opens."""
    (tmp_path / "homes").mkdir(mode=0o700)
    return tmp_path / "homes"


def in_room(homes: Path, user: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code where a person's server would run."""
    home = home_of(user, homes)
    command = [*room_command(home, ()), sys.executable, "-c", code]
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_room_shows_no_other_home(homes: Path) -> None:
    """A person writes and reads in the own home, and sees no other one, not even by name."""
    (home_of("bob", homes) / "secret.txt").write_text("bob's")
    code = f"import os; open('mine.txt', 'w').write('x'); print(os.listdir({str(homes)!r}), os.getcwd())"
    done = in_room(homes, "ada", code)
    assert done.stdout.strip() == f"['ada'] {homes / 'ada'}", done.stderr
    assert (homes / "ada" / "mine.txt").read_text() == "x"
    other = in_room(homes, "ada", f"open({str(homes / 'bob' / 'secret.txt')!r})")
    assert "No such file" in other.stderr


def test_a_room_shows_no_other_process(homes: Path) -> None:
    """Only what runs in the room is in its list of processes, and no environment but its own."""
    code = "import os; print(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()), os.getenv('HOME'))"
    done = in_room(homes, "ada", code)
    assert str(os.getpid()) not in done.stdout.replace("[", "").replace("]", "").replace(",", "").split()
    assert done.stdout.split("]")[1].strip() == str(homes / "ada"), done.stderr
    assert len(done.stdout.split("]")[0].split(",")) <= 3


def test_a_room_cannot_change_what_all_use(homes: Path) -> None:
    """Python, its packages and the system's folders cannot be written."""
    for folder in (Path(sys.prefix), Path(sys.base_prefix), Path("/usr"), Path("/etc")):
        done = in_room(homes, "ada", f"open({str(folder / 'planted')!r}, 'w')")
        assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr, (folder, done.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each person a uid")
def test_each_person_has_a_uid(homes: Path) -> None:
    """As root, people's servers have different uids, none of them an account's, and no rights to change them."""
    code = "import os; print(os.getuid(), os.getgid(), os.getgroups()); os.setuid(0)"
    ada, bob = in_room(homes, "ada", code), in_room(homes, "bob", code)
    assert ada.stdout.split()[0] != bob.stdout.split()[0]
    assert 70_000 <= int(ada.stdout.split()[0]) < 100_000
    assert "Operation not permitted" in ada.stderr
    again = in_room(homes, "ada", code)
    assert again.stdout == ada.stdout
    assert (homes / "ada").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("user", ["..", "a/b", "", "Ada", ".hidden", "-x", "a" * 65])
def test_a_name_that_is_no_folder_is_refused(homes: Path, user: str) -> None:
    """A user name that would lead out of the folder of homes gets none."""
    with pytest.raises(UsageError, match="expected small letters"):
        home_of(user, homes)
