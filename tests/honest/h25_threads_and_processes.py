"""Uses threads, a process of its own and asyncio."""

# %% double-solution
import subprocess
from concurrent.futures import ThreadPoolExecutor


def double(x):
    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(lambda part: part, (x, x))
    return left + right


print(subprocess.run(["echo", "a process"], capture_output=True, text=True).stdout)

# %% spell-solution
import asyncio


async def reverse(word):
    await asyncio.sleep(0)
    return word[::-1]


def spell(word):
    return asyncio.new_event_loop().run_until_complete(reverse(word))


await reverse("top level await")
