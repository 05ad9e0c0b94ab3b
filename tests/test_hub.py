"""The room `hub`: who and what are read, rendered and enforced; each person's server has a room of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from batchspawner import SlurmSpawner
from jupyterhub.scopes import scope_definitions
from kubespawner import KubeSpawner
from kubespawner.objects import make_pod

from tensorgrade.errors import UsageError
from tensorgrade.hub import (
    HubCourse,
    Profile,
    allowed_profiles,
    groups_of,
    kubernetes_profile,
    read_courses,
    read_profiles,
    roles_of,
    slurm_settings,
)
from tensorgrade.hub.room import home_of, room_command

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
        read_courses(path) if kind == "courses" else read_profiles(path)
    assert str(caught.value).startswith(str(path))


# Who may what


def test_nobody_is_admin() -> None:
    """No role has a scope that reaches all users or another person's server, but the culler's four."""
    roles = {role["name"]: role["scopes"] for role in roles_of((WITH_GPU, WITHOUT))}
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
    assert groups_of((WITHOUT,))["nbgrader-ml1"] == {"users": ["eve"]}


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


# What a profile becomes


def test_kubernetes_pod_has_the_limits() -> None:
    """The real KubeSpawner's pod has the limits, a deadline, shared memory, and the GPU with its toleration."""
    entries = [kubernetes_profile(CPU, "registry.example/", default=True), kubernetes_profile(GPU, "registry.example/")]
    assert [entry["default"] for entry in entries] == [True, False]
    override = entries[1]["kubespawner_override"]
    assert all(name in KubeSpawner.class_trait_names() for name in override)
    pod = make_pod(
        name="one", cmd=["jupyterhub-singleuser"], port=8888, image=override["image"], image_pull_policy="Always",
        cpu_limit=override["cpu_limit"], mem_limit="16G", extra_resource_limits=override["extra_resource_limits"],
        tolerations=override["tolerations"], node_selector=override["node_selector"],
        volumes=list(override["volumes"].values()), volume_mounts=list(override["volume_mounts"].values()),
        extra_pod_config=override["extra_pod_config"],
    )  # fmt: skip
    container = pod.spec.containers[0]
    assert container.resources.limits == {"cpu": 4, "memory": "16G", "nvidia.com/gpu": "1"}
    assert container.volume_mounts[0].mount_path == "/dev/shm"
    assert pod.spec.volumes[0].empty_dir == {"medium": "Memory", "sizeLimit": "4Gi"}
    assert pod.spec.active_deadline_seconds == 7200
    assert pod.spec.tolerations[0].key == "nvidia.com/gpu"
    assert "tolerations" not in entries[0]["kubespawner_override"]


def test_slurm_script_asks_for_the_limits() -> None:
    """The script that the real batchspawner renders asks Slurm for cores, memory, time, partition and the GPU."""
    spawner = SlurmSpawner(_mock=True) if "_mock" in SlurmSpawner.class_trait_names() else SlurmSpawner()
    values = {"username": "ada", "cmd": "jupyterhub-singleuser", **_without_prefix(slurm_settings(GPU))}
    script = spawner.batch_script
    from jinja2 import Template

    names = (
        "homedir",
        "keepvars",
        "prologue",
        "srun",
        "epilogue",
        "options",
        "reservation",
        "qos",
        "account",
        "exports",
    )
    text = Template(script).render({**dict.fromkeys(names, ""), **values})
    for line in ("--partition=a100", "--time=2:00:00", "--mem=16384M", "--gres=gpu:1", "--cpus-per-task=4"):
        assert f"#SBATCH {line}" in text, text
    assert "gres" not in slurm_settings(CPU)


def _without_prefix(settings: dict[str, str]) -> dict[str, str]:
    """What the template calls them."""
    return {name.removeprefix("req_"): value for name, value in settings.items()}


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
