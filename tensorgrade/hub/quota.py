"""Holds each course to the number of GPU servers that it may have at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jupyterhub import orm

from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.profiles import Profile


def has_seat(mine: Collection[str], others: Sequence[Collection[str]], seats: Mapping[str, int]) -> bool:
    """Whether one more GPU server fits: everybody counts for one of their courses, whichever makes room.

    Args:
        mine: names of the courses of the person who asks.
        others: the same of each person who has a GPU server.
        seats: by course, how many it may have at a time.

    Source: augmenting paths, H. W. Kuhn, *The Hungarian method for the assignment problem* (1955).
    """
    wishes = [*others, mine]
    taken: dict[str, list[int]] = {course: [] for course in seats}

    def sit(person: int, tried: set[str]) -> bool:
        for course in [name for name in wishes[person] if name in seats and name not in tried]:
            tried.add(course)
            if len(taken[course]) < seats[course]:
                taken[course].append(person)
                return True
            for other in taken[course]:
                if sit(other, tried):
                    taken[course][taken[course].index(other)] = person
                    return True
        return False

    # Somebody who finds no seat was there before the quota was lowered: the newcomer does not pay for that.
    return [sit(person, set()) for person in range(len(wishes))][-1]


def gpu_courses(groups: Collection[str], courses: Sequence[HubCourse]) -> list[HubCourse]:
    """The courses with GPUs of somebody in these groups of the hub."""
    return [course for course in courses if course.gpus and {course.staff_group, course.student_group} & set(groups)]


def gpu_owners(spawner: Any, profiles: Collection[str]) -> list[list[str]]:
    """The groups of each person who has, or asked earlier than this spawner for, a server of these profiles.

    The hub's database says it, so that it holds for every spawner and after a restart.
    """
    mine = spawner.orm_spawner
    rows = spawner.db.query(orm.Spawner).filter(orm.Spawner.server_id.is_not(None), orm.Spawner.id != mine.id)
    running = [row for row in rows if (row.user_options or {}).get("profile") in profiles]
    if mine.server is not None and mine.started is not None:  # it is starting: whoever asked first has the seat
        running = [row for row in running if row.started and (row.started, row.id) < (mine.started, mine.id)]
    return [[group.name for group in row.user.groups] for row in running]


def over_quota(spawner: Any, profiles: Sequence[Profile], courses: Sequence[HubCourse]) -> str:
    """Why the user of a spawner can have no GPU server now: one sentence, empty if nothing is in the way."""
    mine = gpu_courses([group.name for group in spawner.user.groups], courses)
    owners = gpu_owners(spawner, {profile.name for profile in profiles if profile.gpus})
    others = [[course.name for course in gpu_courses(groups, courses)] for groups in owners]
    if has_seat([course.name for course in mine], others, {course.name: course.gpus for course in courses}):
        return ""
    seats, names = sum(course.gpus for course in mine), " and ".join(course.title for course in mine)
    return f"{names}: all GPU servers are in use (there are {seats})."
