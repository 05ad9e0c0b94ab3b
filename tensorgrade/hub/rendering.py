"""Writes a profile as Kubernetes and as Slurm want it."""

from __future__ import annotations

from typing import Any

from tensorgrade.hub.profiles import Profile

SECONDS = 3600
MIB = 1024  # per GiB
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
GPU_START_SECONDS = 180  # a full pool must say so soon; the image is on the node already (the chart's prePuller)


def kubernetes_profile(profile: Profile, images: str, *, default: bool = False) -> dict[str, Any]:
    """An entry of KubeSpawner's ``profile_list``.

    Args:
        profile: what it may use.
        images: the address of an image, with {image} in the place of its name.
        default: whether the spawn page has it chosen.

    Source: KubeSpawner's reference; a GPU is a limit without a request, and its nodes are tainted
    (Kubernetes, *Schedule GPUs*); /dev/shm is a memory volume that counts as the pod's memory.
    """
    override: dict[str, Any] = {
        "image": images.format(image=profile.image),
        "cpu_limit": profile.cores,
        "mem_limit": f"{profile.memory_gib:g}G",
        "mem_guarantee": f"{profile.memory_gib:g}G",
        "extra_pod_config": {"activeDeadlineSeconds": profile.longest_hours * SECONDS},
        "volumes": {
            "shared-memory": {
                "name": "shared-memory",
                "emptyDir": {"medium": "Memory", "sizeLimit": f"{profile.shared_memory_gib:g}Gi"},
            }
        },
        "volume_mounts": {"shared-memory": {"name": "shared-memory", "mountPath": "/dev/shm"}},  # noqa: S108
    }
    if profile.gpus:
        override["extra_resource_limits"] = {profile.gpu_resource: str(profile.gpus)}
        # A function: KubeSpawner merges what is a table, but a list would replace the chart's own tolerations.
        override["tolerations"] = lambda spawner: [*spawner.tolerations, GPU_TOLERATION]
        override["node_selector"] = {"tensorgrade/profile": profile.name}
        override["start_timeout"] = GPU_START_SECONDS
    return {
        "slug": profile.name,
        "display_name": profile.title,
        "description": profile.text,
        "default": default,
        "kubespawner_override": override,
    }


def slurm_settings(profile: Profile) -> dict[str, str]:
    """The traits of batchspawner's ``SlurmSpawner``.

    Source: batchspawner's reference; sbatch(1).
    """
    settings = {
        "req_nprocs": str(profile.cores),
        "req_memory": f"{round(profile.memory_gib * MIB)}M",
        "req_runtime": f"{profile.longest_hours}:00:00",
        "req_partition": profile.partition,
    }
    if profile.gpus:
        settings["req_gres"] = f"gpu:{profile.gpus}"
    if profile.reservation:
        settings["req_reservation"] = profile.reservation
    return settings
