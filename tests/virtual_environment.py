"""Makes virtual environments with packages from PyPI, for tests that need them."""
import fcntl
import subprocess
import time
import venv


def installed(folder, packages):
    """Makes a virtual environment in `folder` with the packages, if it does not exist. Returns the path of its Python, or None
    if the packages cannot be installed. Several tests may call this at the same time."""
    python = folder / "bin" / "python"
    ready = folder / "ready"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists() or ready.read_text() != " ".join(packages):
            start = time.monotonic()
            venv.create(folder, with_pip=True, clear=True)
            done = subprocess.run([python, "-m", "pip", "install", "-q", "--no-cache-dir", *packages])
            if done.returncode != 0:
                return None
            ready.write_text(" ".join(packages))
            print(f"installed {', '.join(packages)} in {time.monotonic() - start:.0f} s")
    return python
